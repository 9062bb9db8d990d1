//! Guards the cut inside the crates: files import each other downwards only.
//!
//! The rule. A file imports another one by a private `use`, or by a path in its code that begins
//! with `crate`, `self`, `super` or the name of a child module. A `mod` item is no import. A `pub
//! use` is none either: it gives a name to an item, and whoever imports that name imports the file
//! that defines the item. So a `mod.rs` may re-export its children while they import each other
//! through it; but a parent that uses a child which uses the parent's own items is a circle. Test
//! modules do not count, and paths inside of macro calls are not seen.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

/// Crates whose files must not import each other in a circle, by the folder of their root module.
const ROOTS: &[&str] = &[
    "console/src",
    "shared/event/src",
    "shared/store/src",
    "shared/pipeline/src",
    "shared/redrive/src",
    "shared/export/src",
    "shared/devstack/src",
    "lambdas/ingest/src",
    "lambdas/api/src",
    "lambdas/migrate/src",
];

/// The floors of the redrive engine, lowest first, by file or folder.
const FLOORS: &[&[&str]] = &[
    &["limits", "error"],
    &["identity", "message", "plan"],
    &["state"],
    &["journal"],
    &["control", "lease", "ledger", "reading", "run"],
    &["triage", "operations", "retention"],
    &["trace"],
    &["lib"],
];

/// A path from the root of its crate.
type ModulePath = Vec<String>;

#[derive(Default)]
struct Module {
    file: PathBuf,
    /// Names that are defined here.
    items: HashSet<String>,
    /// Names that come from elsewhere, with the path that they stand for.
    uses: HashMap<String, ModulePath>,
    /// Modules of which everything is in scope.
    globs: Vec<ModulePath>,
    imports: Vec<ModulePath>,
}

/// The modules of one crate.
#[derive(Default)]
struct Modules(BTreeMap<ModulePath, Module>);

/// Each file with those that it imports, and a path by which it does.
type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

impl Modules {
    fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        let file = ["lib.rs", "main.rs"].map(|name| root.join(name));
        let file = file.into_iter().find(|file| file.is_file()).unwrap();
        modules.read_file(Vec::new(), &file, root);
        modules
    }

    fn read_file(&mut self, path: ModulePath, file: &Path, folder: &Path) {
        let text = std::fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap();
        self.read_items(path, &parsed.items, file, folder);
    }

    /// Reads the items of a module; its children are in `folder`.
    fn read_items(&mut self, path: ModulePath, items: &[Item], file: &Path, folder: &Path) {
        let mut reader = Reader {
            path: path.clone(),
            children: items.iter().filter_map(child).collect(),
            module: Module {
                file: file.to_owned(),
                ..Module::default()
            },
        };
        for item in items {
            let Item::Mod(child) = item else {
                reader.visit_item(item);
                continue;
            };
            if is_test(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let child_path = joined(&path, [name.clone()]);
            let child_folder = folder.join(&name);
            match &child.content {
                Some((_, items)) => self.read_items(child_path, items, file, &child_folder),
                None => {
                    let files = [
                        folder.join(format!("{name}.rs")),
                        child_folder.join("mod.rs"),
                    ];
                    let child_file = files.iter().find(|file| file.is_file()).unwrap();
                    self.read_file(child_path, child_file, &child_folder);
                }
            }
        }
        self.0.insert(path, reader.module);
    }

    /// The file that defines what a path names; if that is not found, the one of the last module.
    fn file_of(&self, path: &[String]) -> Option<&Path> {
        let known = (0..=path.len()).rev();
        let (module, rest) = known
            .map(|length| path.split_at(length))
            .find_map(|(front, rest)| Some((self.0.get(front)?, rest)))?;
        let Some((name, rest)) = rest.split_first() else {
            return Some(&module.file);
        };
        if let Some(target) = module
            .uses
            .get(name)
            .filter(|_| !module.items.contains(name))
        {
            return self.file_of(&joined(target, rest.iter().cloned()));
        }
        let is_defined = |glob: &&ModulePath| {
            let globbed = self.0.get(*glob);
            globbed.is_some_and(|globbed| {
                globbed.items.contains(name) || globbed.uses.contains_key(name)
            })
        };
        match module.globs.iter().find(is_defined) {
            Some(glob) if !module.items.contains(name) => {
                self.file_of(&joined(glob, [name.clone()]))
            }
            _ => Some(&module.file),
        }
    }

    fn edges(&self, root: &Path) -> Edges {
        let short = |file: &Path| file.strip_prefix(root).unwrap().to_owned();
        let mut edges = Edges::new();
        for module in self.0.values() {
            let from = edges.entry(short(&module.file)).or_default();
            for import in &module.imports {
                let to = self.file_of(import).map(short);
                if let Some(to) = to.filter(|to| *to != short(&module.file)) {
                    from.entry(to).or_insert_with(|| import.join("::"));
                }
            }
        }
        edges
    }
}

/// Reads the imports of one module, inline children aside.
struct Reader {
    path: ModulePath,
    children: HashSet<String>,
    module: Module,
}

impl Reader {
    /// The path from the crate's root; `None` for what is of another crate.
    fn absolute(&self, segments: &[String]) -> Option<ModulePath> {
        let (first, rest) = segments.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.path.clone(),
            child if self.children.contains(child) => joined(&self.path, [first.clone()]),
            _ => return None,
        };
        if first == "super" {
            base.pop();
        }
        let supers = rest
            .iter()
            .take_while(|segment| *segment == "super")
            .count();
        base.truncate(base.len().saturating_sub(supers));
        Some(joined(&base, rest.iter().skip(supers).cloned()))
    }

    fn use_tree(&mut self, before: &ModulePath, tree: &UseTree, is_import: bool) {
        let (path, name) = match tree {
            UseTree::Path(tree) => {
                let path = joined(before, [tree.ident.to_string()]);
                return self.use_tree(&path, &tree.tree, is_import);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree, is_import);
                }
                return;
            }
            UseTree::Glob(_) => {
                if let Some(path) = self.absolute(before) {
                    self.module.globs.push(path.clone());
                    self.module.imports.extend(is_import.then_some(path));
                }
                return;
            }
            UseTree::Name(tree) if tree.ident == "self" => (before.clone(), before.last().cloned()),
            UseTree::Name(tree) => {
                let name = tree.ident.to_string();
                (joined(before, [name.clone()]), Some(name))
            }
            UseTree::Rename(tree) => {
                let path = joined(before, [tree.ident.to_string()]);
                (path, Some(tree.rename.to_string()))
            }
        };
        if let Some((path, name)) = self.absolute(&path).zip(name) {
            self.module.uses.insert(name, path.clone());
            self.module.imports.extend(is_import.then_some(path));
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other items define no name that is imported"
        )]
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Macro(item) => item.ident.as_ref(),
            _ => None,
        };
        self.module.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            let is_import = matches!(item.vis, Visibility::Inherited);
            self.use_tree(&Vec::new(), &item.tree, is_import);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: ModulePath = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if segments.len() > 1 {
            self.module.imports.extend(self.absolute(&segments));
        }
        visit::visit_path(self, path);
    }
}

fn joined(path: &[String], more: impl IntoIterator<Item = String>) -> ModulePath {
    path.iter().cloned().chain(more).collect()
}

fn child(item: &Item) -> Option<String> {
    if let Item::Mod(child) = item {
        return Some(child.ident.to_string());
    }
    None
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg")
            && list.is_ok_and(|list| list.tokens.to_string().starts_with("test"))
    })
}

/// A shortest circle through each group of files that reach each other, one line an import.
fn circles(edges: &Edges) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in edges.keys() {
        if seen.contains(file) {
            continue;
        }
        if let Some(circle) = shortest_circle(edges, file) {
            let group = edges.keys().filter(|other| {
                path(edges, file, other).is_some() && path(edges, other, file).is_some()
            });
            let group: Vec<_> = group.cloned().collect();
            let lines = circle.windows(2).map(|pair| {
                let import = &edges[&pair[0]][&pair[1]];
                format!(
                    "  {} → {} (`{import}`)",
                    pair[0].display(),
                    pair[1].display()
                )
            });
            let lines: Vec<String> = lines.collect();
            circles.push(format!("{} files:\n{}", group.len(), lines.join("\n")));
            seen.extend(group);
        }
    }
    circles
}

fn shortest_circle(edges: &Edges, file: &PathBuf) -> Option<Vec<PathBuf>> {
    let next = edges.get(file)?.keys();
    let back = next
        .filter_map(|next| path(edges, next, file))
        .min_by_key(Vec::len)?;
    Some(std::iter::once(file.clone()).chain(back).collect())
}

/// A shortest way from a file to another one, both included.
fn path(edges: &Edges, from: &PathBuf, to: &PathBuf) -> Option<Vec<PathBuf>> {
    let mut before: HashMap<&PathBuf, &PathBuf> = HashMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(file) = open.pop_front() {
        if file == to {
            let mut way = vec![file.clone()];
            let mut at = file;
            while let Some(previous) = before.get(at).filter(|_| at != from) {
                way.push((*previous).clone());
                at = previous;
            }
            way.reverse();
            return Some(way);
        }
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next != from && !before.contains_key(next) {
                before.insert(next, file);
                open.push_back(next);
            }
        }
    }
    None
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = String::new();
    // A root that is not guarded yet can be looked at: `MODULE_IMPORTS_ROOT=console/src`.
    let more = std::env::var("MODULE_IMPORTS_ROOT").ok();
    for root in ROOTS.iter().copied().chain(more.as_deref()) {
        let folder = workspace.join(root);
        for circle in circles(&Modules::read(&folder).edges(&folder)) {
            found.push_str(&format!("{root}: {circle}\n"));
        }
    }
    assert!(
        found.is_empty(),
        "files import each other in a circle\n{found}"
    );
}

#[test]
fn redrive_engine_imports_only_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/redrive/src");
    let floor = |file: &Path| {
        let name = file.iter().next().unwrap().to_str().unwrap();
        let is_on = |floor: &&[&str]| floor.contains(&name.trim_end_matches(".rs"));
        let floor = FLOORS.iter().position(is_on);
        floor.unwrap_or_else(|| panic!("{name} is on no floor"))
    };
    for (from, imports) in Modules::read(&root).edges(&root) {
        for (to, import) in imports {
            assert!(
                floor(&from) >= floor(&to),
                "{} imports {} (`{import}`), which is on a floor above",
                from.display(),
                to.display()
            );
        }
    }
}

#[test]
fn circle_through_groups_and_re_exports_is_found_and_one_through_tests_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let found = || circles(&Modules::read(folder.path()).edges(folder.path()));
    write("lib.rs", "mod a; mod b; pub use a::{A, one};");
    write("a/mod.rs", "mod inner; pub use inner::{A, one};");
    write(
        "a/inner.rs",
        "pub struct A; pub fn one() {} mod tests_of {}",
    );
    write(
        "b.rs",
        "use crate::{A, a::one}; pub struct B(A); fn two() { one() }",
    );
    assert_eq!(found(), Vec::<String>::new());
    let test = "#[cfg(test)] mod tests { use crate::b::B; }";
    write(
        "a/inner.rs",
        &format!("pub struct A; pub fn one() {{}} {test}"),
    );
    assert_eq!(found(), Vec::<String>::new());
    write(
        "a/inner.rs",
        "pub struct A; pub fn one() { drop(super::super::b::two()) }",
    );
    let circle = "2 files:\n  a/inner.rs → b.rs (`b::two`)\n  b.rs → a/inner.rs (`A`)";
    assert_eq!(found(), [circle]);
}
