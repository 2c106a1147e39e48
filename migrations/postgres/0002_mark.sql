-- Small records by name: what was seen where (`seen/…`), when the tenant was looked at, where a delta goes on,
-- which key ids a person adopted. `body` is JSON.
CREATE TABLE mark (
    name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    body TEXT NOT NULL
);
