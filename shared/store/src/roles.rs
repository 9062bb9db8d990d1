//! The users of the database: one for each function, one for people, each with what it needs.
//!
//! Invariant: everything here is idempotent, and a right is granted to users that exist and to no
//! others; a database without them (on one machine) stays as it is.

use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};

/// Owns the tables.
const MIGRATE: &str = "migrate";
/// Limits of a statement, which the server keeps for those who come through RDS Proxy and cannot ask
/// for one. The functions that connect directly set their own.
const STATEMENT_TIMEOUTS: [(&str, &str); 2] = [("ingest", "60s"), ("api", "12s")];
/// PostgreSQL cuts longer names.
const NAME_BYTES_MAX: usize = 63;

/// The rights on the tables, given by their owner after each migration. `on conflict … returning` reads
/// what it writes. Views read with the rights of their owner.
const GRANTS: &str = "
do $$
begin
    if exists (select from pg_roles where rolname = 'ingest') then
        grant select, insert on event_keys to ingest;
        grant usage on sequence event_keys_record_id_seq to ingest;
        grant insert on records to ingest;
    end if;
    if exists (select from pg_roles where rolname = 'api') then
        grant select on event_keys, records to api;
    end if;
    if exists (select from pg_roles where rolname = 'analyst') then
        grant usage on schema analytics to analyst;
        grant select on all tables in schema analytics to analyst;
        grant select on event_keys, records to analyst;
    end if;
end
$$";

/// A name that cannot be one of a user or a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is no name for a user or a database here: write it in a-z, 0-9 and _, starting with a \
     letter"
)]
pub struct RoleError {
    /// The name.
    pub name: String,
}

/// The statements by which a master user makes `users` that log in by IAM to `database`; each is to be
/// sent by itself, in this order. `rds_iam` is the role of RDS that lets its members do so.
///
/// # Errors
/// When a name would need quoting.
pub fn role_statements(users: &[String], database: &str) -> Result<Vec<String>, RoleError> {
    check_name(database)?;
    let mut statements = Vec::new();
    for user in users {
        check_name(user)?;
        statements.push(format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{user}') then create \
             role {user} login; end if; end $$"
        ));
        statements.push(format!("grant rds_iam to {user}"));
        statements.push(format!("grant connect on database {database} to {user}"));
        if user == MIGRATE {
            statements.push(format!("grant create on database {database} to {user}"));
            statements.push(format!("grant usage, create on schema public to {user}"));
        }
        if let Some((_, limit)) = STATEMENT_TIMEOUTS.iter().find(|(name, _)| name == user) {
            statements.push(format!(
                "alter role {user} set statement_timeout = '{limit}'"
            ));
        }
    }
    Ok(statements)
}

fn check_name(name: &str) -> Result<(), RoleError> {
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

/// Grants the users what they may do with the tables as they are now.
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
