// A sync through openapi-fetch, whose types come from openapi-typescript.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Page = components["schemas"]["Page"];
const server = process.env.SERVER!;
const client = createClient<paths>({ baseUrl: server });

function require<T>(data: T | undefined, error: unknown): T {
    if (data === undefined) throw new Error(`not answered: ${JSON.stringify(error)}`);
    return data;
}

const form = { grant_type: "password" as const, username: "li", password: process.env.PASSWORD! };
const signIn = await client.POST("/v1/auth/token", {
    body: form,
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
});
const tokens = require(signIn.data, signIn.error);
const registered = await client.POST("/v1/replicas", {
    body: { name: "小李的手机", platform: "wechat", app_version: "1.0" },
    headers: { Authorization: `Bearer ${tokens.access_token}` },
});
const headers = { Authorization: `Bearer ${require(registered.data, registered.error).access_token}` };

async function pull(cursor: string | null): Promise<Page[]> {
    const pages: Page[] = [];
    while (!pages.at(-1)?.complete) {
        const answer = await client.POST("/v1/sync/pull", { body: { protocol: 1, cursor, limit: 5 }, headers });
        const page = require(answer.data, answer.error);
        pages.push(page);
        cursor = page.cursor ?? cursor;
    }
    return pages;
}

const pages = await pull(null);
const changes = pages.flatMap((page) => page.changes ?? []);
const building = changes.find((change) => change.fields?.level === "building")!;
const household = crypto.randomUUID(), visit = crypto.randomUUID(), made_at = new Date().toISOString();
const pushed = await client.POST("/v1/sync/push", {
    headers,
    body: {
        protocol: 1,
        home: building.home,
        mutations: [
            {
                id: crypto.randomUUID(), collection: "households", record: household, op: "create", base: 0, made_at,
                fields: { area_id: building.record, door: "101" },
            },
            {
                id: crypto.randomUUID(), collection: "visits", record: visit, op: "create", base: 0, made_at,
                fields: { household_id: household, outcome: "opened", note: "一切安好。" },
            },
        ],
    },
});
const outcomes = require(pushed.data, pushed.error).outcomes.map((outcome) => outcome.outcome);
const down = (await pull(pages.at(-1)!.cursor ?? null)).flatMap((page) => page.changes ?? []);
const read = await client.GET("/v1/visits/{id}", { params: { path: { id: visit } }, headers });
const stale = await client.PATCH("/v1/visits/{id}", {
    params: { path: { id: visit }, header: { "If-Match": '"7"' } }, body: { note: "…" }, headers,
});
console.log(JSON.stringify({
    outcomes, pulled: down.some((change) => change.record === visit), note: require(read.data, read.error).note,
    code: stale.error?.code,
}));
