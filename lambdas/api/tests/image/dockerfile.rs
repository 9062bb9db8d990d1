//! Reads a Dockerfile: its stages and their instructions, each on one line.

/// The stages in their order.
pub(crate) struct Dockerfile(Vec<Stage>);

/// The instructions of a stage, its `FROM` first: name and arguments.
#[derive(Clone)]
pub(crate) struct Stage(Vec<(String, String)>);

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut stages: Vec<Stage> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            assert!(!line.ends_with('\\'), "not on one line: {line}");
            let (name, arguments) = line.split_once(' ').unwrap();
            if name == "FROM" {
                stages.push(Stage(Vec::new()));
            }
            let stage = stages.last_mut().unwrap();
            stage.0.push((name.to_owned(), arguments.to_owned()));
        }
        Self(stages)
    }

    /// What the image is made of.
    pub(crate) fn last(&self) -> Stage {
        self.0.last().unwrap().clone()
    }

    /// The stage that is called so.
    pub(crate) fn stage(&self, name: &str) -> Stage {
        let suffix = format!(" AS {name}");
        let found = self.0.iter().find(|stage| stage.0[0].1.ends_with(&suffix));
        found.unwrap().clone()
    }
}

impl Stage {
    /// The arguments of each instruction with this name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(other, _)| other == name);
        named.map(|(_, arguments)| arguments.as_str()).collect()
    }

    /// What is copied from the stage `build`, and to where.
    pub(crate) fn copies(&self) -> Vec<(&str, &str)> {
        let copies = self.values("COPY").into_iter().map(|arguments| {
            let paths = arguments.strip_prefix("--from=build ").unwrap();
            paths.split_once(' ').unwrap()
        });
        copies.collect()
    }

    /// The environment variables.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        let pairs = self.values("ENV").into_iter();
        pairs.map(|pair| pair.split_once('=').unwrap()).collect()
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let mut pairs = self.variables().into_iter();
        pairs.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// User and group.
    pub(crate) fn user(&self) -> &str {
        self.values("USER")[0]
    }

    /// Program and arguments.
    pub(crate) fn entry_point(&self) -> Vec<String> {
        serde_json::from_str(self.values("ENTRYPOINT")[0]).unwrap()
    }
}
