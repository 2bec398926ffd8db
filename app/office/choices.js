// What there is to choose from: areas, campaigns and tags.

const MOST_LISTED = 300;

async function listed(path, current, filters = {}) {
  const found = [];
  let after = null;
  do {
    const query = new URLSearchParams({ limit: 1000, ...filters, ...(after && { after }) });
    const page = await (await ask(`${path}?${query}`)).json();
    found.push(...page.items);
    after = page.next;
  } while (after && current());
  return found;
}

function alongTheTree(found) {
  const known = new Set(found.map((area) => area.id));
  const below = new Map(found.map((area) => [area.id, []]));
  for (const area of found) below.get(area.parent_id)?.push(area);
  const order = new Intl.Collator("zh", { numeric: true });
  const sorted = (some) => [...some].sort((a, b) => a.sort - b.sort || order.compare(a.name, b.name));
  const listed = [];
  const list = (some, before) => {
    for (const area of sorted(some)) {
      const way = [...before, area.name];
      listed.push({ id: area.id, way: way.join(" › ") });
      list(below.get(area.id), way);
    }
  };
  let top = found.filter((area) => !known.has(area.parent_id));
  // As long as there is one way down alone, it needn't be told again of all that lies there.
  for (; top.length === 1; top = below.get(top[0].id)) listed.push({ id: top[0].id, way: top[0].name });
  list(top, []);
  return listed;
}

function newestFirst(campaigns) {
  return [...campaigns].sort((a, b) => b.since.localeCompare(a.since));
}

// Each code once, whichever areas have it.
function inUse(codes) {
  const living = codes.filter((one) => !one.retired).sort((a, b) => a.sort - b.sort);
  return [...new Map(living.map((one) => [one.code, one])).values()];
}

function any() {
  return new Option("不限 · Any", "");
}

function listFound() {
  const words = at("find").value.trim().toLowerCase();
  const fitting = areas.filter((area) => area.way.toLowerCase().includes(words));
  const options = fitting.slice(0, MOST_LISTED).map((area) => new Option(area.way, area.id));
  const chosen = new Set([...at("area").selectedOptions].map((one) => one.value));
  for (const option of options) option.selected = chosen.has(option.value);
  at("area").replaceChildren(...options);
  if (!at("area").value && options.length) options[0].selected = true;
  const more = fitting.length > options.length ? `，先列出 ${MOST_LISTED} 个 · the first ${MOST_LISTED} are listed` : "";
  at("found").textContent = `共 ${fitting.length} 个 · ${fitting.length} areas${more}`;
}
