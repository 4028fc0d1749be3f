"""The services of the mesh and the chassis that they share."""
