//! Makes many deliveries out of one event's, by SQL: over the API two million would take longer than everything else.
//! Whatever the server wrote for that event is copied as it is, under ids that begin with an earlier time.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::{Failure, database::run};

/// What there is for an event, and which of its columns hold ids that begin with a time.
const TABLES: [(&str, &[&str]); 5] = [
    ("events", &["id"]),
    ("webhook_deliveries", &["id", "event_id"]),
    ("requests", &["id"]),
    ("attempts", &["request_id"]),
    ("open_work", &["id"]),
];

/// What differs between databases.
struct Dialect {
    columns: &'static str,
    /// Numbers `k` from {count} down to 1, so that ids grow.
    numbers: &'static str,
    /// The id in {column} as it would be {base} - k milliseconds after 1970.
    earlier: &'static str,
}

const SQLITE: Dialect = Dialect {
    columns: "SELECT name FROM pragma_table_info($1)",
    numbers: "(WITH RECURSIVE n (k) AS (SELECT {count} UNION ALL SELECT k - 1 FROM n WHERE k > 1) SELECT k FROM n)",
    earlier: "unhex(printf('%012x', {base} - k) || substr(hex({column}), 13))",
};

const POSTGRES: Dialect = Dialect {
    columns: "SELECT column_name::text FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position",
    numbers: "(SELECT k FROM generate_series({count}, 1, -1) AS k)",
    earlier: "(lpad(to_hex({base} - k), 12, '0') || substr(replace({column}::text, '-', ''), 13))::uuid",
};

/// Copies everything in a file that no server has open so many times, and says how many deliveries there are now.
pub(super) async fn fill_sqlite(url: &str, copies: u64, age_ms: u64) -> Result<u64, Failure> {
    let mut connection = SqliteConnection::connect(url).await?;
    // A crash now would cost the file, which nobody has seen yet.
    let fast = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144";
    sqlx::raw_sql(fast).execute(&mut connection).await?;
    let base: i64 = sqlx::query_scalar(BASE).fetch_one(&mut connection).await?;
    for (table, ids) in TABLES {
        let columns = sqlx::query_scalar(SQLITE.columns).bind(table).fetch_all(&mut connection).await?;
        for statement in SQLITE.statements(table, ids, &columns, base, copies, age_ms) {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
    }
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    let deliveries: i64 = sqlx::query_scalar(DELIVERIES).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(u64::try_from(deliveries)?)
}

/// Copies everything in a database that no server uses so many times, and says how many deliveries there are now.
pub(super) async fn fill_postgres(mut connection: PgConnection, copies: u64, age_ms: u64) -> Result<u64, Failure> {
    let base: i64 = sqlx::query_scalar(BASE).fetch_one(&mut connection).await?;
    for (table, ids) in TABLES {
        let columns = sqlx::query_scalar(POSTGRES.columns).bind(table).fetch_all(&mut connection).await?;
        for statement in POSTGRES.statements(table, ids, &columns, base, copies, age_ms) {
            run(&mut connection, &statement).await?;
        }
    }
    // Otherwise it would be done while something is measured.
    run(&mut connection, "VACUUM ANALYZE").await?;
    let deliveries: i64 = sqlx::query_scalar(DELIVERIES).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(u64::try_from(deliveries)?)
}

/// When the event came; all others came before it.
const BASE: &str = "SELECT received_at FROM events";
const DELIVERIES: &str = "SELECT count(*) FROM webhook_deliveries";

impl Dialect {
    fn statements(
        &self,
        table: &str,
        ids: &[&str],
        columns: &[String],
        base: i64,
        copies: u64,
        age_ms: u64,
    ) -> [String; 3] {
        let copied = |column: &String| match column.as_str() {
            id if ids.contains(&id) => self.earlier.replace("{column}", id),
            // Nobody has it in hand.
            "lease_token" => "NULL".to_owned(),
            "due_at" => "{base} - k".to_owned(),
            "settled_at" => format!("settled_at - {age_ms}"),
            other => other.to_owned(),
        };
        let values: Vec<String> = columns.iter().map(copied).collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let insert = format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {} AS numbers CROSS JOIN example_{table}",
            self.numbers
        );
        [
            // Read apart from what is written, so that no database keeps all of it aside first.
            format!("CREATE TEMPORARY TABLE example_{table} AS SELECT * FROM {table} ORDER BY {}", ids[0]),
            insert.replace("{base}", &format!("({base} - {age_ms})")).replace("{count}", &copies.to_string()),
            // What was in hand when its server was killed.
            if table == "open_work" {
                format!("UPDATE open_work SET lease_token = NULL, due_at = {base} WHERE lease_token IS NOT NULL")
            } else {
                format!("DROP TABLE example_{table}")
            },
        ]
    }
}
