//! Migrations, embedded and numbered, and the facts a store is founded with.
//!
//! Our own runner instead of sqlx's `Migrator`: on SQLite that one takes no lock, so two processes that open a
//! new store at once would both migrate. Here each migration is one transaction that begins with a lock and looks
//! again, and the refusal of a newer schema says what to do.

use aws_lc_rs::rand;

use super::Connection;
use super::Handle;
use super::MIGRATIONS;
use super::Pool;
use super::begin_founding;
use super::is_foreign;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;
use crate::store::standing::ARRIVING;
use crate::store::standing::CAME;
use crate::store::standing::MOVED;
use crate::store::standing::Move;
use crate::store::standing::Standing;

/// Letters and digits of an instance name: 32 of them, none that is read as another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const INSTANCE_CHARS: usize = 6;

/// Brings the schema up to date, founds a new store, and checks that `seal` is its key. Returns the instance and where
/// the store stands.
pub(super) async fn found(pool: &Pool, seal: &SealKey) -> Result<(String, Standing), StoreError> {
    while step(pool).await? {}
    let mut tx = begin_founding(pool).await?;
    let mut facts = Vec::new();
    for (name, value) in [("instance", instance()?), ("seal_key", seal.id().to_owned())] {
        sqlx::query(sql::META_PUT).bind(name).bind(value).execute(&mut *tx).await.map_err(fault::failed)?;
        let fact: String =
            sqlx::query_scalar(sql::META_READ).bind(name).fetch_one(&mut *tx).await.map_err(fault::failed)?;
        facts.push(fact);
    }
    let standing = standing(&mut tx).await?;
    tx.commit().await.map_err(fault::failed)?;
    let [instance, key] = facts.try_into().map_err(|_| fault::damaged("meta", "facts are missing"))?;
    if key != seal.id() {
        return Err(another_key(seal.id(), &key));
    }
    Ok((instance, standing))
}

/// Where the store stands.
pub(super) async fn standing(connection: &mut Connection) -> Result<Standing, StoreError> {
    let facts: Vec<(String, String)> =
        sqlx::query_as(sql::META_ALL).fetch_all(connection).await.map_err(fault::failed)?;
    let noted = |fact: &str| -> Result<Option<Move>, StoreError> {
        let found = facts.iter().find(|(name, _)| name == fact);
        found.map(|(_, value)| record::read("a move of the store", value)).transpose()
    };
    Ok(match (noted(MOVED)?, noted(ARRIVING)?) {
        (Some(to), _) => Standing::Moved(to),
        (None, Some(from)) => Standing::Arriving(from),
        (None, None) => Standing::Live(noted(CAME)?),
    })
}

/// Whether the store is still the one that `handle` opened: it may have been sealed anew since (values under the former
/// key would be lost), be another one (a copy that was put into an empty database), or have moved.
pub(super) async fn still_there(handle: &Handle) -> Result<(), StoreError> {
    let mut connection = handle.pool.acquire().await.map_err(fault::failed)?;
    let facts: Vec<(String, String)> =
        sqlx::query_as(sql::META_ALL).fetch_all(&mut *connection).await.map_err(fault::failed)?;
    let is = |fact: &str| facts.iter().find(|(name, _)| name == fact).map(|(_, value)| value.as_str());
    let key = is("seal_key").unwrap_or_default();
    if key != handle.seal.id() {
        return Err(another_key(handle.seal.id(), key));
    }
    if is("instance") != Some(handle.instance.as_str()) {
        return Err(StoreError::Failed(
            "it is another store since it was opened: start the same command again".to_owned(),
        ));
    }
    if handle.any_standing { Ok(()) } else { standing(&mut connection).await?.live() }
}

/// The error of a key that is not the store's.
pub(super) fn another_key(given: &str, sealed_with: &str) -> StoreError {
    StoreError::Key(format!(
        "the seal key {given} does not belong to this store, which is sealed under {sealed_with}; after `store reseal` \
         that is the new key"
    ))
}

/// Applies the next migration; whether there was one.
async fn step(pool: &Pool) -> Result<bool, StoreError> {
    let mut tx = begin_founding(pool).await?;
    if is_foreign(&mut tx).await? {
        return Err(StoreError::Failed("this is another program's database; name another".to_owned()));
    }
    sqlx::query(sql::SCHEMA_TABLE).execute(&mut *tx).await.map_err(fault::failed)?;
    let applied: Option<i64> =
        sqlx::query_scalar(sql::SCHEMA_VERSION).fetch_one(&mut *tx).await.map_err(fault::failed)?;
    let applied = applied.unwrap_or(0);
    let place = usize::try_from(applied).map_err(|error| fault::damaged("its schema version", error))?;
    if place > MIGRATIONS.len() {
        return Err(StoreError::Failed(format!(
            "the store has schema {applied}, made by a newer everkey; this one knows schemas up to {}: use the newer \
             everkey, or restore a backup from before the upgrade",
            MIGRATIONS.len()
        )));
    }
    let Some((name, statements)) = MIGRATIONS.get(place) else { return Ok(false) };
    sqlx::raw_sql(*statements).execute(&mut *tx).await.map_err(fault::failed)?;
    sqlx::query(sql::SCHEMA_NOTE).bind(applied + 1).bind(*name).execute(&mut *tx).await.map_err(fault::failed)?;
    tx.commit().await.map_err(fault::failed)?;
    Ok(true)
}

/// Six random characters.
fn instance() -> Result<String, StoreError> {
    let mut bytes = [0; INSTANCE_CHARS];
    rand::fill(&mut bytes).map_err(|_| StoreError::Failed("no random numbers from this machine".to_owned()))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_embedded_in_its_place() {
        let folder = super::super::MIGRATIONS_FOLDER;
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let embedded: Vec<String> =
            MIGRATIONS.iter().enumerate().map(|(i, (name, _))| format!("{:04}_{name}.sql", i + 1)).collect();
        assert_eq!(files, embedded);
    }

    #[test]
    fn instances_are_six_characters_of_the_alphabet_and_differ() {
        let names: Vec<String> = (0..50).map(|_| instance().unwrap()).collect();
        for name in &names {
            assert_eq!(name.len(), 6);
            assert!(name.bytes().all(|byte| ALPHABET.contains(&byte)), "{name}");
        }
        assert!(names.iter().any(|name| name != &names[0]));
    }
}
