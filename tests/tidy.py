"""The rules of the house as pure functions: sources in, violations out, each as `path:line what`.

Who may import whom, who may touch the world, what must be said. `test_tidy.py` holds the code to them.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

LONGEST_FUNCTION_LINES = 60
OURS = {"app", "migrations", "sync", "tests"}

SYNC_MAY_IMPORT = {*sys.stdlib_module_names, "sync", "pydantic", "pydantic_core", "typing_extensions"}
SYNC_EXCEPTIONS = {"sync/client.py": {"httpx"}}

# What a simulator must own. A name bans everything under it.
WORLD = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.sleep"),
    *("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid_utils", "random", "secrets"),
    *("os.urandom", "os.getrandom", "asyncio.sleep", "anyio.sleep", "anyio.sleep_until", "httpx"),
}
WORLD_EXCEPTIONS = {
    "sync/client.py": {"httpx"},
    "app/demo/office.py": {"httpx"},  # what an administrator does in Swagger UI
}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "pydantic_settings"}
GRANT_SQL = re.compile(r'"grant"|\b(from|join|into|update)\s+grant\b', re.IGNORECASE)

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "bind"}
# "No personal data in logs; ids, counts and codes only": a key's last word says which of them it is.
LOGGABLE = {
    *(
        "id",
        "ids",
        "count",
        "depth",
        "seconds",
        "bytes",
        "seq",
        "rev",
        "head",
        "epoch",
        "protocol",
        "version",
    ),
    *("code", "problem", "outcome", "op", "collection", "feed", "home", "audience", "kind", "store"),
    *("method", "route", "status", "attempt", "host", "port", "info"),
}
BODIES = {"fields", "values", "payload", "body", "seen", "candidates", "content"}
SETTINGS = {"app/settings.py", "app/reports/pinyin.py"}
VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "api_route"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file, by its path from the top of the repository."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def imports(self) -> list[tuple[int, str, str]]:
        """(line, local name, full name); `from a import b` counts as a.b."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                # `import a.b` binds a, and `import a.b as c` binds c to a.b
                found += [(node.lineno, name.asname or name.name, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = self.origin(node)
                found += [(node.lineno, n.asname or n.name, f"{origin}.{n.name}") for n in node.names]
        return found

    @cached_property
    def uses(self) -> list[tuple[int, str]]:
        """(line, full name) of everything imported, and of every dotted name that begins with an import."""
        known = {local: full for _, local, full in self.imports}
        known |= {local.split(".")[0]: local.split(".")[0] for local in known if "." in local}
        found = [(line, full) for line, _, full in self.imports]
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and (name := dotted(node)):
                first, _, rest = name.partition(".")
                if first in known:
                    found.append((node.lineno, f"{known[first]}.{rest}"))
        return found

    def origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return str(node.module)
        package = self.path.split("/")[: -node.level]
        return ".".join([*package, node.module] if node.module else package)

    def at(self, folder: str) -> bool:
        return self.path.startswith(f"{folder}/")


Rule = Callable[[list[Source]], Iterator[str]]


def dotted(node: ast.AST) -> str:
    """`a.b.c` as written, empty for anything that is not a plain chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (value := dotted(node.value)):
        return f"{value}.{node.attr}"
    return ""


def under(name: str, names: set[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in names)


def sync_stands_alone(sources: list[Source]) -> Iterator[str]:
    """sync/ is pydantic and the standard library; httpx in client.py alone."""
    for source in (s for s in sources if s.at("sync")):
        allowed = SYNC_MAY_IMPORT | SYNC_EXCEPTIONS.get(source.path, set())
        for line, _, name in source.imports:
            if name.split(".")[0] not in allowed:
                yield f"{source.path}:{line} imports {name}"


def arrows_point_one_way(sources: list[Source]) -> Iterator[str]:
    """sync ← app ← migrations, tests. The app may ask where migrations lies, and import nothing in it."""
    may = {"sync": {"sync"}, "app": {"app", "sync"}, "migrations": {"app", "sync", "migrations"}}
    for source in (s for s in sources if s.path.split("/")[0] in may):
        home = source.path.split("/")[0]
        for line, _, name in source.imports:
            if under(name, OURS - may[home]) and (home, name) != ("app", "migrations"):
                yield f"{source.path}:{line} imports {name}"


def collections_import_only_their_base(sources: list[Source]) -> Iterator[str]:
    for source in (s for s in sources if s.at("app/collections")):
        if source.path.endswith(("/base.py", "/__init__.py")):
            continue
        for line, _, name in source.imports:
            if under(name, OURS) and not under(name, {"sync", "app.collections.base"}):
                yield f"{source.path}:{line} imports {name}"


def routes_import_no_route(sources: list[Source]) -> Iterator[str]:
    """A route is a module of app/ that defines `router`; only what assembles them imports them."""
    routes = {s.module for s in sources if s.at("app") and defines_router(s)}
    for source in (s for s in sources if s.module in routes):
        for line, _, name in source.imports:
            if under(name, routes - {source.module}):
                yield f"{source.path}:{line} imports the route {name}"


def defines_router(source: Source) -> bool:
    targets = [t for node in source.tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in source.tree.body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == "router" for target in targets)


def the_world_comes_through_seams(sources: list[Source]) -> Iterator[str]:
    for source in (s for s in sources if (s.at("sync") or s.at("app")) and s.path != "sync/seams.py"):
        banned = WORLD - WORLD_EXCEPTIONS.get(source.path, set())
        for line, name in source.uses:
            if under(name, banned):
                yield f"{source.path}:{line} uses {name}"


def only_settings_read_the_environment(sources: list[Source]) -> Iterator[str]:
    """But pinyin.py, which sets what a library can be told by no other way."""
    for source in (s for s in sources if not s.at("tests") and s.path not in SETTINGS):
        for line, name in source.uses:
            if under(name, ENVIRONMENT):
                yield f"{source.path}:{line} uses {name}"


def only_access_reads_grants(sources: list[Source]) -> Iterator[str]:
    """Neither the class Grant nor SQL on its table, but in access.py and the wall behind it, its two writers and
    tables.py."""
    theirs = {"app/access.py", "app/wall.py", "app/grants.py", "app/follows.py", "app/tables.py"}
    for source in (s for s in sources if s.at("app") and s.path not in theirs):
        docstrings = [node.value for node in source.nodes if isinstance(node, ast.Expr)]
        for node in source.nodes:
            # A name, an attribute or what is imported, as each kind of node calls it.
            if "Grant" in {getattr(node, said, "") for said in ("id", "attr", "name")}:
                yield f"{source.path}:{getattr(node, 'lineno', 1)} names Grant"
            if isinstance(node, ast.Constant) and node not in docstrings and GRANT_SQL.search(str(node.value)):
                yield f"{source.path}:{node.lineno} queries grants"


def no_record_field_reaches_a_log(sources: list[Source]) -> Iterator[str]:
    """A log call is one fixed text and named ids, counts and codes."""
    for source in (s for s in sources if not s.at("tests")):
        for call in (n for n in source.nodes if isinstance(n, ast.Call) and is_log_call(n.func)):
            named = {(word.arg or "**").split("_")[-1] for word in call.keywords}
            inside = {getattr(n, "attr", getattr(n, "id", "")) for word in call.keywords for n in ast.walk(word)}
            if len(call.args) > 1 or not all(isinstance(text, ast.Constant) for text in call.args):
                yield f"{source.path}:{call.lineno} logs more than a fixed text"
            if suspect := (named - LOGGABLE) | (inside & BODIES):
                yield f"{source.path}:{call.lineno} logs {sorted(suspect)}"


def is_log_call(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute) or called.attr not in LOG_METHODS:
        return False
    return dotted(called.value).lower().endswith(("log", "logger", "logging"))


def no_function_is_too_long(sources: list[Source]) -> Iterator[str]:
    """Generated migrations are listings, and may be long."""
    for source in (s for s in sources if not s.at("migrations/versions")):
        for node in source.functions:
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > LONGEST_FUNCTION_LINES:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def what_is_public_says_what_it_does(sources: list[Source]) -> Iterator[str]:
    """Every module, every public function of sync/ and every route has a docstring."""
    for source in sources:
        if not ast.get_docstring(source.tree):
            yield f"{source.path}:1 has no docstring"
        for node in source.functions:
            public = source.at("sync") and node in source.tree.body and not node.name.startswith("_")
            if (public or is_route(node)) and not ast.get_docstring(node):
                yield f"{source.path}:{node.lineno} {node.name} has no docstring"


def is_route(node: Function) -> bool:
    called = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
    makers = [dotted(c.value) for c in called if isinstance(c, ast.Attribute) and c.attr in VERBS]
    return any(maker.endswith(("app", "router")) for maker in makers)
