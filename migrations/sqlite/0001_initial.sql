-- Times are integer milliseconds UTC, ids are UUIDv7 in 16 bytes, JSON is text. What is called `sealed` is encrypted with
-- the key ring, bound to its table, column and row.

-- A deleted project keeps its row for the history that points at it.
CREATE TABLE projects (
    id          BLOB NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT,
    external_id TEXT,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL DEFAULT 0,
    retention   TEXT,
    deleted_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX projects_external_id ON projects (external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL;

INSERT INTO projects (id, name, created_at) VALUES (X'00000000000070008000000000000001', 'default', 0);

-- A token for every project has none. A revoked one keeps its row, so that nothing else takes its id.
CREATE TABLE tokens (
    id           BLOB NOT NULL PRIMARY KEY,
    project_id   BLOB,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    permissions  TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    version      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_project ON tokens (project_id, id) WHERE revoked_at IS NULL;

-- People, and the roles of this server's own (those that every server has are not stored), belong to no project; what people
-- do in a project is a membership. Its project is the nil UUID for all projects.
CREATE TABLE users (
    id            BLOB NOT NULL PRIMARY KEY,
    email         TEXT NOT NULL,
    name          TEXT NOT NULL,
    password      TEXT,
    disabled_at   INTEGER,
    last_login_at INTEGER,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX users_email ON users (email) WHERE deleted_at IS NULL;

CREATE TABLE roles (
    name        TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    version     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    user_id    BLOB NOT NULL,
    project_id BLOB NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (user_id, project_id, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_project ON memberships (project_id);
CREATE INDEX memberships_role ON memberships (role);

CREATE TABLE sessions (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_user ON sessions (user_id, id);

-- Failed logins of one user, or from one address, since the window began; by a hash, since what is no address may be a
-- password in the wrong field.
CREATE TABLE login_failures (
    key        BLOB NOT NULL PRIMARY KEY,
    since      INTEGER NOT NULL,
    failures   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX login_failures_since ON login_failures (since);

-- A version that is being checked is looked at by one node until `check_until`; `failure` says why one is refused. A
-- deleted version keeps its row, without bytes, for the history that points at it and so that nothing else takes its number.
-- One that kept failing is paused: deliveries wait for it.
CREATE TABLE plugin_versions (
    id         BLOB    NOT NULL PRIMARY KEY,
    project_id BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    size_bytes INTEGER NOT NULL,
    manifest   TEXT    NOT NULL,
    abilities  TEXT    NOT NULL,
    component  BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    failure    TEXT,
    check_until INTEGER,
    checks     INTEGER NOT NULL,
    deleted_at INTEGER,
    created_at INTEGER NOT NULL,
    paused_at  INTEGER,
    pause_reason TEXT,
    UNIQUE (project_id, name, version)
) STRICT;

CREATE INDEX plugin_versions_checking ON plugin_versions (check_until) WHERE check_until IS NOT NULL;
CREATE INDEX plugin_versions_paused ON plugin_versions (paused_at) WHERE paused_at IS NOT NULL;

-- A deleted webhook keeps its row, without secrets, for the history that points at it.
CREATE TABLE webhooks (
    id              BLOB    NOT NULL PRIMARY KEY,
    project_id      BLOB    NOT NULL,
    external_id     TEXT,
    name            TEXT    NOT NULL,
    description     TEXT,
    labels          TEXT    NOT NULL,
    events          TEXT    NOT NULL,
    origin          TEXT    NOT NULL,
    sealed          BLOB    NOT NULL,
    enabled         INTEGER NOT NULL,
    disabled_reason TEXT,
    retry           TEXT,
    timeout_ms      INTEGER,
    on_uncertain    TEXT    NOT NULL,
    on_plugin_failure TEXT  NOT NULL,
    filter          TEXT,
    delivery_order  TEXT    NOT NULL,
    order_wait_ms   INTEGER,
    rate_limit      TEXT,
    digest          TEXT,
    github_signature INTEGER NOT NULL,
    is_listener     INTEGER NOT NULL,
    expires_at      INTEGER,
    revision        INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER,
    changed_at_revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX webhooks_external_id ON webhooks (project_id, external_id)
    WHERE external_id IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX webhooks_changed ON webhooks (changed_at_revision);

CREATE INDEX webhooks_expiring ON webhooks (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;

-- One row: grows with each change of any webhook, so that every node can tell whether it knows them as they are.
CREATE TABLE subscriptions_revision (
    id       INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO subscriptions_revision (id, revision) VALUES (1, 0);

-- What is fixed when a delivery is made. Rows never change.
CREATE TABLE webhook_configurations (
    webhook_id        BLOB    NOT NULL,
    revision          INTEGER NOT NULL,
    project_id        BLOB    NOT NULL,
    content_type      TEXT    NOT NULL,
    envelope          TEXT    NOT NULL,
    body_token        INTEGER NOT NULL,
    plugin_version_id BLOB,
    plugin_config     TEXT,
    plugin_limits     TEXT,
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_configurations_plugin ON webhook_configurations (plugin_version_id)
    WHERE plugin_version_id IS NOT NULL;

-- What a project says of a type of events: one of its own, or in place of what every project knows of it.
CREATE TABLE event_types (
    project_id  BLOB NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    schema      TEXT,
    example     TEXT,
    validation  TEXT NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

-- History. Ordered by id, which begins with the time.

CREATE TABLE events (
    id           BLOB    NOT NULL PRIMARY KEY,
    project_id   BLOB    NOT NULL,
    type         TEXT    NOT NULL,
    subject      TEXT,
    occurred_at  INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    content_type TEXT    NOT NULL,
    attributes   TEXT    NOT NULL,
    payload      BLOB,
    payload_removed_at INTEGER,
    request_id   TEXT
) STRICT;

-- `repeats` is the delivery that one was made of; a parked one is `reprocessed_by` at most one. `digest` is the delivery of
-- the digest in which one went out. What was sent and answered may be
-- removed after a time, as events' payloads are.
CREATE TABLE webhook_deliveries (
    id                 BLOB    NOT NULL PRIMARY KEY,
    project_id         BLOB    NOT NULL,
    event_id           BLOB    NOT NULL,
    webhook_id         BLOB    NOT NULL,
    revision           INTEGER NOT NULL,
    trigger_kind       TEXT    NOT NULL,
    actor              TEXT,
    request_id         TEXT,
    status             TEXT    NOT NULL,
    reason             TEXT,
    run                TEXT,
    requests_total     INTEGER NOT NULL,
    requests_open      INTEGER NOT NULL,
    requests_succeeded INTEGER NOT NULL,
    requests_held      INTEGER NOT NULL,
    requests_cancelled INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    settled_at         INTEGER,
    repeats            BLOB,
    reprocessed_by     BLOB,
    digest             BLOB,
    attempts_removed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_parked ON webhook_deliveries (webhook_id, id)
    WHERE status = 'parked' AND reprocessed_by IS NULL;
-- What is looked for in the log among many that arrived. What arrives at once is never in them.
CREATE INDEX webhook_deliveries_unsent ON webhook_deliveries (webhook_id, status, id)
    WHERE status NOT IN ('pending', 'succeeded');
CREATE INDEX webhook_deliveries_unsent_of_project ON webhook_deliveries (project_id, status, id)
    WHERE status NOT IN ('pending', 'succeeded');

-- A request's id is its delivery's with the last 16 bits set, so a delivery's requests are a range of this key.
-- `spec` is null for the request of a webhook without plugin: it follows from event and configuration.
CREATE TABLE requests (
    id         BLOB    NOT NULL PRIMARY KEY,
    project_id BLOB    NOT NULL,
    status     TEXT    NOT NULL,
    reason     TEXT,
    spec       TEXT,
    body       BLOB,
    settled_at INTEGER
) STRICT;

CREATE TABLE attempts (
    request_id       BLOB    NOT NULL,
    number           INTEGER NOT NULL,
    project_id       BLOB    NOT NULL,
    started_at       INTEGER NOT NULL,
    duration_ms      INTEGER NOT NULL,
    outcome          TEXT    NOT NULL,
    error_class      TEXT,
    error            TEXT,
    url              TEXT    NOT NULL,
    status_code      INTEGER,
    request_headers  TEXT    NOT NULL,
    response_headers TEXT,
    response_body    BLOB,
    truncated        INTEGER NOT NULL,
    late             INTEGER NOT NULL,
    verdict          TEXT   ,
    PRIMARY KEY (request_id, number)
) STRICT;

-- Who did what to what: only ever added to. What is the whole server's has the nil UUID for a project. `was` and `became`
-- hold what has changed, without secrets.
CREATE TABLE audit_log (
    id          BLOB NOT NULL PRIMARY KEY,
    project_id  BLOB NOT NULL,
    actor_kind  TEXT NOT NULL,
    actor_id    TEXT,
    actor_name  TEXT NOT NULL,
    action      TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    address     TEXT,
    request_id  TEXT,
    user_agent  TEXT,
    was         TEXT,
    became      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_log_project ON audit_log (project_id, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_target ON audit_log (target_id, id);

-- A key that an event or another creating request was posted with, for 24 hours. `id` is made of project and key,
-- `fingerprint` of what was posted; `event_id` is the event, the job or the delivery that came of it.
CREATE TABLE idempotency_keys (
    id          BLOB    NOT NULL PRIMARY KEY,
    project_id  BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL,
    event_id    BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Open work stands apart from history and is small. `kind` 0: transform the delivery of this id; 1: send the request of
-- this id. Work that is leased is due again when its lease ends; work that waits for a person, or for
-- a paused plugin, is never due. Of its attempts `schedule_from` were made before a person had it sent again: its schedule begins
-- after them.
CREATE TABLE open_work (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        INTEGER NOT NULL,
    project_id  BLOB    NOT NULL,
    webhook_id  BLOB    NOT NULL,
    due_at      INTEGER NOT NULL,
    lease_token INTEGER,
    attempts    INTEGER NOT NULL,
    order_key   BLOB   ,
    sequence    INTEGER,
    is_blocked  INTEGER NOT NULL DEFAULT 0,
    by_hand     INTEGER NOT NULL DEFAULT 0,
    is_interrupted INTEGER NOT NULL DEFAULT 0,
    schedule_from INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX open_work_due ON open_work (webhook_id, due_at);

-- What a person waits for (`by_hand`) goes before all else of its webhook. Work whose lease ended with nothing to show
-- `is_interrupted`: it may have been done.
CREATE INDEX open_work_by_hand ON open_work (webhook_id, due_at) WHERE by_hand;

-- Work with an order waits (`is_blocked`) until all with the same key and a smaller sequence is gone, or until it is due.
CREATE INDEX open_work_order ON open_work (webhook_id, order_key, sequence) WHERE order_key IS NOT NULL;

-- The next place in the order of a webhook's deliveries.
CREATE TABLE webhook_sequences (
    webhook_id BLOB    NOT NULL PRIMARY KEY,
    next       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deliveries of an event that are still to be made: a step for so many webhooks (their ids, one after the other), gone when
-- it is done. A step that is leased is due again when its lease ends.
CREATE TABLE fan_out_steps (
    event_id    BLOB    NOT NULL,
    step        INTEGER NOT NULL,
    project_id  BLOB    NOT NULL,
    webhooks    BLOB    NOT NULL,
    due_at      INTEGER NOT NULL,
    trigger_kind TEXT   NOT NULL DEFAULT 'event',
    lease_token INTEGER,
    PRIMARY KEY (event_id, step)
) STRICT;

-- Long work, done in steps: `cursor_id` says up to where. One that is leased is due again when its lease ends, one that has
-- ended is never due. `tries` counts how often the next step was begun.
CREATE TABLE jobs (
    id          BLOB    NOT NULL PRIMARY KEY,
    project_id  BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    work        TEXT    NOT NULL,
    cursor_id   BLOB,
    done        INTEGER NOT NULL,
    total       INTEGER,
    failed      INTEGER NOT NULL,
    reason      TEXT,
    actor       TEXT    NOT NULL,
    request_id  TEXT,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER,
    due_at      INTEGER,
    lease_token INTEGER,
    tries       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_project ON jobs (project_id, id);
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- What a backtest came to for each event, compared with this delivery of it; gone with its job.
CREATE TABLE backtest_results (
    job_id      BLOB    NOT NULL,
    delivery_id BLOB    NOT NULL,
    project_id  BLOB    NOT NULL,
    event_id    BLOB    NOT NULL,
    outcome     TEXT    NOT NULL,
    detail      TEXT,
    PRIMARY KEY (job_id, delivery_id)
) STRICT;

CREATE INDEX backtest_results_outcome ON backtest_results (job_id, outcome, delivery_id);

-- Events that are emitted at certain times. `next_at` is none when it is disabled, or when no run is left; whoever moves it
-- emits the event in the same transaction.
CREATE TABLE schedules (
    id            BLOB NOT NULL PRIMARY KEY,
    project_id    BLOB NOT NULL,
    name          TEXT NOT NULL,
    description   TEXT,
    expression    TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    event_type    TEXT NOT NULL,
    subject       TEXT,
    payload       BLOB NOT NULL,
    missed        TEXT NOT NULL,
    enabled       INTEGER NOT NULL,
    next_at       INTEGER,
    last_due_at   INTEGER,
    last_ran_at   INTEGER,
    last_event_id BLOB,
    skipped_at    INTEGER,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedules_project ON schedules (project_id, id);
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;

-- What webhooks have collected for their next digest: how many events, and when they go out. `next` is the place of the next
-- one. Whoever adds an event holds this row.
CREATE TABLE digest_heads (
    webhook_id BLOB   NOT NULL PRIMARY KEY,
    project_id BLOB   NOT NULL,
    events     INTEGER NOT NULL,
    next       INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    quiet_at   INTEGER NOT NULL,
    events_max INTEGER NOT NULL,
    due_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX digest_heads_due ON digest_heads (due_at);

-- The events themselves, in order, each with the delivery that it stands for. Gone when their digest is closed.
CREATE TABLE digest_events (
    webhook_id  BLOB   NOT NULL,
    sequence    INTEGER NOT NULL,
    delivery_id BLOB   NOT NULL,
    event_id    BLOB   NOT NULL,
    project_id  BLOB   NOT NULL,
    PRIMARY KEY (webhook_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX digest_events_delivery ON digest_events (delivery_id);

-- What is no longer kept is removed at its times, by one node at a time: what of, when next, and behind which row something is
-- left to be looked at.
CREATE TABLE retention_sweeps (
    kind        TEXT   NOT NULL PRIMARY KEY,
    next_at     INTEGER NOT NULL,
    until_at    INTEGER NOT NULL,
    lease_token INTEGER,
    cursor_id   BLOB,
    removed     INTEGER NOT NULL,
    ran_at      INTEGER
) STRICT, WITHOUT ROWID;

-- Webhooks that one node at a time sends to: those with a rate limit, and those whose breaker is open (then `paused_until`
-- is set).
CREATE TABLE webhook_owners (
    webhook_id   BLOB    NOT NULL PRIMARY KEY,
    node         INTEGER NOT NULL,
    taken_at     INTEGER NOT NULL,
    until_at     INTEGER NOT NULL,
    paused_until INTEGER
) STRICT, WITHOUT ROWID;

-- Webhooks at which requests fail: since when nothing has arrived, and how many deliveries have failed since.
CREATE TABLE webhook_failures (
    webhook_id BLOB    NOT NULL PRIMARY KEY,
    since_at   INTEGER NOT NULL,
    deliveries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nodes that share the work, and whether they have time for more.
CREATE TABLE nodes (
    id      INTEGER NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL,
    is_idle INTEGER NOT NULL
) STRICT;

-- What plugins remember of answers. The id is made of webhook, plugin and key.
CREATE TABLE facts (
    id          BLOB    NOT NULL PRIMARY KEY,
    project_id  BLOB    NOT NULL,
    webhook_id  BLOB    NOT NULL,
    plugin      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    value       TEXT    NOT NULL,
    delivery_id BLOB    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX facts_webhook ON facts (webhook_id, id);
CREATE INDEX facts_age ON facts (webhook_id, updated_at, id);

-- How many facts each webhook has, so that they stay bounded without being counted.
CREATE TABLE fact_counts (
    webhook_id BLOB    NOT NULL PRIMARY KEY,
    facts      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
