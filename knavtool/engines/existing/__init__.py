"""The engine `existing`: components in a cluster that somebody else runs, by server-side apply and by Helm."""
