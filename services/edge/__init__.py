"""The edge: one Envoy in front of the services, its configuration made from the contract."""
