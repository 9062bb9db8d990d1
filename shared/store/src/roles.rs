//! The database users: one for each function and one for people, each with the least privileges.
//!
//! Invariant: every statement is idempotent, and rights are granted only to users that exist. A database
//! without them (the local stack) is not changed.

use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};

/// The user that owns the tables.
const MIGRATE: &str = "migrate";
/// The user that reads for third parties.
const API: &str = "api";
/// The user of the console, where it reaches the database. It reads what [`API`] reads, and is no member of
/// it: members of a role may end its sessions (PostgreSQL, "Server Signaling Functions").
const OPERATOR: &str = "operator";
/// The role that has the rights to read of [`API`] and [`OPERATOR`]. Nobody logs in as it.
const READER: &str = "reader";
/// Statement timeouts that the server applies to these users: functions behind RDS Proxy, where a start-up
/// option cannot set one (those that connect directly set their own), and people. The console sets its own.
const STATEMENT_TIMEOUTS: [(&str, &str); 3] =
    [("ingest", "60s"), (API, "12s"), ("analyst", "300s")];
/// PostgreSQL truncates longer names.
const NAME_BYTES_MAX: usize = 63;

/// The rights on the tables, granted by their owner after each migration. `ingest` needs `select` on the
/// ledger because of `on conflict … returning`. Views read with the rights of their owner.
const GRANTS: &str = "
do $$
begin
    if exists (select from pg_roles where rolname = 'ingest') then
        grant select, insert on event_identities to ingest;
        grant usage, select on sequence event_keys_record_id_seq to ingest;
        grant insert on records to ingest;
        grant select on retention to ingest;
    end if;
    if exists (select from pg_roles where rolname = 'reader') then
        grant select on event_identities, records, event_counts, event_type_counts, event_type_totals,
            retention to reader;
        grant select on sequence event_keys_record_id_seq to reader;
        grant select (version, installed_on) on _sqlx_migrations to reader;
    end if;
    if exists (select from pg_roles where rolname = 'analyst') then
        grant usage on schema analytics to analyst;
        grant select on all tables in schema analytics to analyst;
        -- An earlier version granted tables.
        revoke all on all tables in schema public from analyst;
    end if;
end
$$";

/// A name that is not allowed for a user, a database or a publication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not allowed as the name of a user, a database or a publication: use a-z, 0-9 and _, \
     starting with a letter"
)]
pub struct RoleError {
    /// The refused name.
    pub name: String,
}

/// The statements with which the master user creates `users` that log in to `database` by IAM. Send
/// each separately, in this order. Members of the RDS role `rds_iam` may log in with a token.
///
/// # Errors
/// When a name would need quoting.
pub fn role_statements(users: &[String], database: &str) -> Result<Vec<String>, RoleError> {
    check_name(database)?;
    let mut statements = Vec::new();
    for user in users {
        check_name(user)?;
        statements.push(create_if_missing(user, "login"));
        statements.push(format!("grant rds_iam to {user}"));
        statements.push(format!("grant connect on database {database} to {user}"));
        if user == MIGRATE {
            statements.push(format!("grant create on database {database} to {user}"));
            statements.push(format!("grant usage, create on schema public to {user}"));
        }
        if user == API || user == OPERATOR {
            statements.push(create_if_missing(READER, "nologin"));
            statements.push(format!("grant {READER} to {user}"));
        }
        if user == OPERATOR {
            // An earlier version granted it.
            statements.push(format!(
                "do $$ begin if exists (select from pg_auth_members where roleid = to_regrole('{API}') \
                 and member = to_regrole('{user}')) then revoke {API} from {user}; end if; end $$"
            ));
        }
        if let Some((_, limit)) = STATEMENT_TIMEOUTS.iter().find(|(name, _)| name == user) {
            statements.push(format!(
                "alter role {user} set statement_timeout = '{limit}'"
            ));
        }
    }
    Ok(statements)
}

/// A statement that creates `role`; PostgreSQL has no `create role if not exists`.
fn create_if_missing(role: &str, log_in: &str) -> String {
    format!(
        "do $$ begin if not exists (select from pg_roles where rolname = '{role}') then create role \
         {role} {log_in}; end if; end $$"
    )
}

pub(crate) fn check_name(name: &str) -> Result<(), RoleError> {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= NAME_BYTES_MAX
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_plain {
        Ok(())
    } else {
        Err(RoleError {
            name: name.to_owned(),
        })
    }
}

/// Grants the users their rights on the current tables.
pub(crate) async fn grant_access(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(GRANTS)
        .execute(connection)
        .await
        .map(|_| ())
        .context("grant access to the tables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_would_need_quoting_is_refused() {
        for name in ["", "a b", "x; drop role y", "A", "1a", "é", &"a".repeat(64)] {
            let user = vec![name.to_owned()];
            assert_eq!(
                role_statements(&user, "pipeline"),
                Err(RoleError {
                    name: name.to_owned()
                })
            );
            assert!(role_statements(&[], name).is_err(), "{name}");
        }
    }
}
