"""CheckNamespace: a namespace exists."""

from knavtool.workflow.api import NAMESPACES, Context, NotFound, Outcome, Rule, Scope, Task


class CheckNamespace(Task):
    """One look decides."""

    tasks_api = 1
    summary = "Checks that a namespace exists."
    schema = {
        "required": ["name"],
        "properties": {"name": {"$ref": "#/$defs/dnsLabel", "description": "The name of the namespace."}},
    }
    rights = (Rule(("get",), NAMESPACES),)

    async def run(self, context: Context, scope: Scope) -> Outcome:
        """Ask for the namespace."""
        name = self.document.params["name"]
        try:
            await context.gateway.get(NAMESPACES, name)
        except NotFound:
            return Outcome(passed=False, message=f"there is no namespace {name}")
        return Outcome(message=f"there is a namespace {name}")
