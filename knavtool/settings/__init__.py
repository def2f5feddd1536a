"""What a user changes of a component: configuration, arguments, environment. Nothing here knows a cluster."""
