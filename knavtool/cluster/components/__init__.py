"""Components: what is installed in a cluster or runs beside it, each described by a record of the catalogue."""
