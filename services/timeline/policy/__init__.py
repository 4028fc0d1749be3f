"""The fan-out policy: who is pushed and who is pulled, changed online and watched everywhere."""
