// A sync through what openapi-generator makes for TypeScript and fetch.
import { Configuration, PhonesApi, ResponseError, SignInApi, SyncApi, VisitsApi } from "./client/index.js";
import type { Change, Page } from "./client/index.js";

const basePath = process.env.SERVER!;
const signedOut = new Configuration({ basePath });
const tokens = await new SignInApi(signedOut).postToken({
    grantType: "password", username: "li", password: process.env.PASSWORD!,
});
const person = new Configuration({ basePath, accessToken: `Bearer ${tokens.accessToken}` });
const registered = await new PhonesApi(person).postReplica({
    newReplica: { name: "小李的手机", platform: "wechat", appVersion: "1.0" },
});
const phone = new Configuration({ basePath, accessToken: `Bearer ${registered.accessToken}` });
const sync = new SyncApi(phone), visits = new VisitsApi(phone);

async function pull(cursor?: string | null): Promise<Page[]> {
    const pages: Page[] = [];
    while (!pages.at(-1)?.complete) {
        const page = await sync.pull({ pullBody: { protocol: 1, cursor, limit: 5 } });
        pages.push(page);
        cursor = page.cursor ?? cursor;
    }
    return pages;
}

const changesOf = (pages: Page[]): Change[] => pages.flatMap((page) => page.changes ?? []);
const pages = await pull();
const building = changesOf(pages).find((change) => change.fields?.level === "building")!;
const household = crypto.randomUUID(), visit = crypto.randomUUID(), madeAt = new Date();
const pushed = await sync.push({
    pushBody: {
        protocol: 1,
        home: building.home,
        mutations: [
            {
                id: crypto.randomUUID(), collection: "households", record: household, op: "create", base: 0, madeAt,
                fields: { area_id: building.record, door: "101" },
            },
            {
                id: crypto.randomUUID(), collection: "visits", record: visit, op: "create", base: 0, madeAt,
                fields: { household_id: household, outcome: "opened", note: "一切安好。" },
            },
        ],
    },
});
const down = changesOf(await pull(pages.at(-1)!.cursor));
const read = await visits.visitsRead({ id: visit });
let code: unknown;
try {
    await visits.visitsPatch({ id: visit, visitPatch: { note: "…" }, ifMatch: '"7"' });
} catch (error) {
    code = error instanceof ResponseError ? (await error.response.json()).code : error;
}
console.log(JSON.stringify({
    outcomes: pushed.outcomes.map((outcome) => outcome.outcome),
    pulled: down.some((change) => change.record === visit), note: read.note, code,
}));
