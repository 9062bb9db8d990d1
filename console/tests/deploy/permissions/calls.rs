//! What the sources call: operations of the AWS SDK and of services without a client, of the object store, methods of
//! the HTTP API, log-ins to the database.
//!
//! Invariant: a call is found wherever it stands, also inside of a macro; only test modules do not count. The names
//! of the operations are those of the crates that are compiled, so a new operation needs no change here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Lit};

use crate::scripts::checkout;

/// Service and operation.
pub(super) type Call = (String, String);

/// The service of the object store.
pub(super) const S3: &str = "s3";
/// The service of the HTTP API.
pub(super) const API: &str = "execute-api";
/// The service of log-ins to the database.
pub(super) const DATABASE: &str = "rds-db";

const OBJECT_STORE: &str = "object_store";
/// What calls the HTTP API; the function api names methods as well.
const HTTP_CLIENT: &str = "reqwest";
const OBJECT_STORE_TRAITS: [&str; 3] = ["ObjectStore", "ObjectStoreExt", "MultipartStore"];
/// Names a call to a service that has no client (`shared/pipeline/src/aws_call.rs`).
const AWS_CALL: &str = "AwsCall";
/// Writes an object in parts, by methods of the store.
const OBJECT_WRITER: &str = "BufWriter";

/// Methods without arguments that only have the name of an operation, by the file that calls them.
const NOT_OF_AWS: [(&str, &str); 1] = [
    // Of a channel of tokio.
    ("shared/redrive/src/control.rs", "subscribe"),
];

/// The names of all operations, from the sources of the crates.
pub(super) struct Operations {
    /// Services by the name of an operation.
    services: BTreeMap<String, BTreeSet<String>>,
    object_store: BTreeSet<String>,
}

/// The part of `cargo metadata` that is of use here (cargo book, "cargo metadata").
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

impl Operations {
    pub(super) fn read() -> Self {
        let metadata = metadata();
        let direct: BTreeSet<&str> = metadata
            .packages
            .iter()
            .filter(|package| metadata.workspace_members.contains(&package.id))
            .flat_map(|package| package.dependencies.iter())
            .map(|dependency| dependency.name.as_str())
            .collect();
        let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut object_store = BTreeSet::new();
        for package in &metadata.packages {
            let root = package.manifest_path.parent().unwrap().join("src");
            if !direct.contains(package.name.as_str()) {
                continue;
            }
            if let Some(service) = package.name.strip_prefix("aws-sdk-") {
                for operation in operations_of(&root) {
                    let known = services.entry(operation).or_default();
                    known.insert(service.to_owned());
                }
            } else if package.name == OBJECT_STORE {
                object_store = methods_of(&root);
            }
        }
        assert!(services.contains_key("receive_message"), "no SDK was read");
        assert!(object_store.contains("put_opts"), "no object store");
        Self {
            services,
            object_store,
        }
    }

    /// The calls of a folder or of a file, with the files that make them.
    pub(super) fn calls_in(&self, path: &str) -> BTreeMap<Call, BTreeSet<String>> {
        let mut calls: BTreeMap<Call, BTreeSet<String>> = BTreeMap::new();
        for file in files_below(&checkout().join(path)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let shown = file.strip_prefix(checkout()).unwrap().display().to_string();
            let other = NOT_OF_AWS.iter().find(|(path, _)| *path == shown);
            let found = self.calls_of(&text).into_iter();
            for call in found.filter(|(_, name)| other.is_none_or(|(_, other)| name != other)) {
                calls.entry(call).or_default().insert(shown.clone());
            }
        }
        calls
    }

    /// The calls of the text of one file.
    pub(super) fn calls_of(&self, text: &str) -> BTreeSet<Call> {
        let file = syn::parse_file(text).unwrap();
        let mut reader = Reader {
            operations: self,
            uses_object_store: text.contains(OBJECT_STORE),
            uses_http_client: text.contains(HTTP_CLIENT),
            methods: BTreeSet::new(),
            paths: BTreeSet::new(),
            constants: file.items.iter().filter_map(constant).collect(),
            calls: BTreeSet::new(),
        };
        reader.visit_file(&file);
        reader.calls
    }
}

fn metadata() -> Metadata {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .arg("--manifest-path")
        .arg(checkout().join("Cargo.toml"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An SDK has one file for each operation of its client.
fn operations_of(root: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(root.join("client")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .filter(|name| name != "customize")
        .collect()
}

fn methods_of(root: &Path) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for name in ["lib.rs", "multipart.rs"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for item in syn::parse_file(&text).unwrap().items {
            let Item::Trait(item) = item else { continue };
            if OBJECT_STORE_TRAITS.contains(&item.ident.to_string().as_str()) {
                methods.extend(item.items.iter().filter_map(method));
            }
        }
    }
    methods
}

fn method(item: &syn::TraitItem) -> Option<String> {
    if let syn::TraitItem::Fn(function) = item {
        return Some(function.sig.ident.to_string());
    }
    None
}

/// The sources below a folder that are no tests, or the file itself.
fn files_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap();
        if stem == "tests" || stem == "testing" {
            continue;
        }
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

struct Reader<'a> {
    operations: &'a Operations,
    uses_object_store: bool,
    uses_http_client: bool,
    /// Of the function that is read: the methods of HTTP that it names, and texts that are paths.
    methods: BTreeSet<String>,
    paths: BTreeSet<String>,
    /// Texts of the file that have a name.
    constants: BTreeMap<String, String>,
    calls: BTreeSet<Call>,
}

impl Reader<'_> {
    fn add(&mut self, service: &str, operation: &str) {
        self.calls
            .insert((service.to_owned(), operation.to_owned()));
    }

    /// A text, or the name of a constant with one: nothing else names a service or an operation.
    fn text_of(&self, expression: &syn::Expr) -> String {
        let text = if let syn::Expr::Lit(literal) = expression
            && let Lit::Str(text) = &literal.lit
        {
            Some(text.value())
        } else if let syn::Expr::Path(path) = expression {
            let name = path.path.segments.last().unwrap().ident.to_string();
            self.constants.get(&name).cloned()
        } else {
            None
        };
        text.unwrap()
    }

    fn add_operation(&mut self, name: &str) {
        for service in self.operations.services.get(name).into_iter().flatten() {
            self.calls.insert((service.clone(), name.to_owned()));
        }
    }

    /// A method other than GET counts with each path that its function has.
    fn end_function(&mut self) {
        for method in std::mem::take(&mut self.methods) {
            if method == "GET" {
                self.add(API, "GET");
                continue;
            }
            for path in std::mem::take(&mut self.paths) {
                self.add(API, &format!("{method} {path}"));
            }
        }
        self.paths.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_tests = matches!(item, Item::Mod(module) if is_test(&module.attrs));
        if !is_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        visit::visit_item_fn(self, function);
        self.end_function();
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        visit::visit_impl_item_fn(self, function);
        self.end_function();
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if call.args.is_empty() {
            self.add_operation(&name);
        } else if self.uses_object_store && self.operations.object_store.contains(&name) {
            self.add(S3, &name);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [.., "Method", method] if self.uses_http_client => {
                self.methods.insert(method.to_owned());
            }
            [.., "IamLogIn", "new" | "from_variables"] => self.add(DATABASE, "log_in"),
            [.., OBJECT_WRITER, "new"] if self.uses_object_store => self.add(S3, OBJECT_WRITER),
            _ => {}
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_struct(&mut self, made: &'ast syn::ExprStruct) {
        if made
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == AWS_CALL)
        {
            let text = |name: &str| {
                let mut fields = made.fields.iter();
                let field = fields.find(
                    |field| matches!(&field.member, syn::Member::Named(named) if named == name),
                );
                field.map(|field| self.text_of(&field.expr))
            };
            let (service, operation) = (text("service"), text("operation"));
            if let (Some(service), Some(operation)) = (service, operation) {
                self.add(&service, &operation);
            }
        }
        visit::visit_expr_struct(self, made);
    }

    fn visit_lit(&mut self, literal: &'ast Lit) {
        if let Lit::Str(text) = literal
            && text.value().starts_with('/')
        {
            self.paths.insert(text.value());
        }
    }

    /// The parser leaves what a macro gets unread.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let mut tokens = call.tokens.to_string();
        tokens.retain(|character| !character.is_whitespace());
        for name in self.operations.services.keys() {
            if tokens.contains(&format!(".{name}()")) {
                self.add_operation(name);
            }
        }
    }
}

fn constant(item: &Item) -> Option<(String, String)> {
    let Item::Const(item) = item else { return None };
    let syn::Expr::Lit(syn::ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &*item.expr
    else {
        return None;
    };
    Some((item.ident.to_string(), text.value()))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg")
            && list.is_ok_and(|list| list.tokens.to_string().starts_with("test"))
    })
}
