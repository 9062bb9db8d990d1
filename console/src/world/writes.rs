//! The one gate before everything that changes the world.
//!
//! Invariant: a [`WritePermit`] exists only where the environment allowed the write, and every
//! function that writes demands one.

use super::{World, WorldError};

/// Proof that the environment allows a write. Only [`World::permit_write`] makes one.
#[derive(Debug)]
pub struct WritePermit {
    _only_made_here: (),
}

impl World {
    /// The same world, with the name that the operator typed to confirm writes. Production
    /// environments take no write without it.
    #[must_use]
    pub fn confirmed(&self, name: &str) -> Self {
        let mut world = self.clone();
        world.confirmation = Some(name.into());
        world
    }

    /// Checks that this environment may be changed. `operation` says what is about to be done.
    ///
    /// # Errors
    /// In read-only environments, and in production ones that were not confirmed by name.
    pub fn permit_write(&self, operation: &str) -> Result<WritePermit, WorldError> {
        let environment = self.environment();
        let name = &environment.name;
        if environment.read_only {
            return Err(WorldError::not_permitted(
                operation,
                format!("environment {name:?} is read-only"),
                "leave out --read-only, or change read_only in the environment's entry".to_owned(),
            ));
        }
        if environment.is_production && self.confirmation.as_deref() != Some(name) {
            return Err(WorldError::not_permitted(
                operation,
                format!("environment {name:?} is production and the write was not confirmed"),
                format!("confirm it by name: --confirm {name}"),
            ));
        }
        Ok(WritePermit {
            _only_made_here: (),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::environment::Environment;
    use crate::world::World;

    fn world(is_production: bool, read_only: bool) -> World {
        let environment = Environment {
            is_production,
            read_only,
            ..Environment::example()
        };
        World::connect(&environment).unwrap()
    }

    #[test]
    fn read_only_environment_refuses_even_when_confirmed() {
        let error = world(false, true)
            .confirmed("example")
            .permit_write("publish")
            .unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
    }

    #[test]
    fn production_wants_its_own_name() {
        let production = world(true, false);
        assert!(production.permit_write("publish").is_err());
        assert!(
            production
                .confirmed("other")
                .permit_write("publish")
                .is_err()
        );
        assert!(
            production
                .confirmed("example")
                .permit_write("publish")
                .is_ok()
        );
        assert!(world(false, false).permit_write("publish").is_ok());
    }
}
