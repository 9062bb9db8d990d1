//! `.ci/release`, for this machine and with what the tests compiled.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::scripts::{at, checkout, refused, said, script, with_program};
use crate::workflows;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The script in its quick form.
fn release(arguments: &[&str]) -> Command {
    let mut command = script("release");
    command.args(arguments).env("RELEASE_PROFILE", "dev");
    command.env_remove("GITHUB_REPOSITORY");
    command
}

fn text(path: &Path) -> Result<&str, Failed> {
    path.to_str().ok_or_else(|| "not UTF-8".into())
}

/// The triple of this machine.
fn host() -> Result<String, Failed> {
    let version = said(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc names no host")?.to_owned())
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Failed> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

pub(crate) async fn console() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("files");
    let target = host()?;
    said(&mut release(&["console", &target, text(&files)?]))?;
    assert_eq!(
        names(&files)?,
        [format!("opsconsole-{VERSION}-{target}.tar.gz")]
    );
    said(&mut release(&["unpack", text(&files)?]))?;
    let installed = files.join("console");
    assert_eq!(
        names(&installed)?,
        ["LICENSE", "README.md", "completions", "man", "opsconsole"]
    );
    documents(&installed)?;

    // Nothing of this machine but the files themselves.
    let home = folder.path().join("home");
    fs::create_dir(&home)?;
    let start = |arguments: &[&str]| {
        let mut command = Command::new(installed.join("opsconsole"));
        command.args(arguments).env_clear().current_dir(&home);
        said(command.env("HOME", &home))
    };
    assert_eq!(start(&["--version"])?, format!("opsconsole {VERSION}\n"));
    let environments: Value = serde_json::from_str(&start(&["env", "list", "--output", "json"])?)?;
    assert_eq!(environments, serde_json::json!([]));
    assert!(start(&["completions", "bash"])?.contains("opsconsole"));
    Ok(())
}

/// Manual pages and completions, in the archive and for the Debian package.
fn documents(installed: &Path) -> Result<(), Failed> {
    let completions = ["_opsconsole", "opsconsole.bash", "opsconsole.fish"];
    assert_eq!(names(&installed.join("completions"))?, completions);
    for name in completions {
        let script = fs::read_to_string(installed.join("completions").join(name))?;
        // By its name, which is found wherever it is installed.
        assert!(
            !script.contains(env!("CARGO_BIN_EXE_opsconsole")),
            "{name}: {script}"
        );
        assert!(script.contains("OPSCONSOLE_COMPLETE"), "{name}: {script}");
    }
    let pages = names(&installed.join("man"))?;
    for page in ["opsconsole.1", "opsconsole-redrive-plan.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let manifest: toml::Table =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))?.parse()?;
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array();
    let packaged = assets.unwrap().iter().filter_map(|asset| asset[0].as_str());
    let packaged: Vec<&str> = packaged
        .filter_map(|path| path.strip_prefix("../target/documents/"))
        .collect();
    let expected = completions.map(|name| format!("completions/{name}"));
    assert!(packaged.contains(&"man/*.1"), "{packaged:?}");
    for name in expected {
        assert!(packaged.contains(&&*name), "{name} is not in the package");
    }
    Ok(())
}

pub(crate) async fn binstall() -> Result<(), Failed> {
    let manifest: toml::Table =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))?.parse()?;
    let metadata = &manifest["package"]["metadata"]["binstall"];
    assert_eq!(metadata["pkg-fmt"].as_str(), Some("tgz"));
    let expand = |template: &toml::Value, target: &str| {
        let template = template.as_str().unwrap();
        let template = template.replace("{ version }", VERSION);
        let template = template.replace("{ target }", target);
        let template = template.replace("{ repo }", "REPO");
        template
            .replace("{ bin }", "opsconsole")
            .replace("{ binary-ext }", "")
    };
    let url = |name: &str| {
        format!("REPO/releases/download/v{VERSION}/opsconsole-{VERSION}-{name}.tar.gz")
    };
    let program = |name: &str| format!("opsconsole-{VERSION}-{name}/opsconsole");
    let targets = workflows::released_targets()?;
    for target in &targets {
        assert_eq!(expand(&metadata["pkg-url"], target), url(target));
        assert_eq!(expand(&metadata["bin-dir"], target), program(target));
    }
    let overrides = metadata["overrides"].as_table().unwrap();
    assert_eq!(overrides.len(), 2);
    for (target, own) in overrides {
        let musl = target.replace("-gnu", "-musl");
        assert!(targets.contains(&musl), "{musl} is not released");
        assert_eq!(expand(&own["pkg-url"], target), url(&musl));
        assert_eq!(expand(&own["bin-dir"], target), program(&musl));
    }

    // And the archive is laid out so.
    let folder = tempfile::tempdir()?;
    let target = host()?;
    said(&mut release(&["console", &target, text(folder.path())?]))?;
    let archive = folder
        .path()
        .join(format!("opsconsole-{VERSION}-{target}.tar.gz"));
    let entries = said(Command::new("tar").arg("-tzf").arg(archive))?;
    let expected = expand(&metadata["bin-dir"], &target);
    assert!(entries.lines().any(|entry| entry == expected), "{entries}");
    Ok(())
}

pub(crate) async fn functions() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    said(&mut release(&["functions", "x86_64", text(folder.path())?]))?;
    assert_eq!(
        names(folder.path())?,
        [format!("opsconsole-functions-{VERSION}-x86_64.tar.gz")]
    );
    said(&mut release(&["unpack", text(folder.path())?]))?;
    let unpacked = folder.path().join("functions");
    assert_eq!(
        names(&unpacked)?,
        [
            "LICENSE",
            "api.zip",
            "functions.tfvars.json",
            "ingest.zip",
            "migrate.zip"
        ]
    );
    let values = fs::read_to_string(unpacked.join("functions.tfvars.json"))?;
    let values: Value = serde_json::from_str(&values)?;
    assert_eq!(values["architecture"], "x86_64");
    let release = &values["functions_release"];
    assert_eq!(release["version"], VERSION);
    assert_eq!(release["architecture"], "x86_64");
    assert_eq!(release["migrations"].as_str().map(str::len), Some(64));
    let sums = said(
        Command::new("sha256sum")
            .args(["api.zip", "ingest.zip", "migrate.zip"])
            .current_dir(&unpacked),
    )?;
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        let name = file.strip_suffix(".zip").unwrap();
        assert_eq!(release["sha256"][name], sum, "{name}");
    }
    Ok(())
}

pub(crate) async fn checksums() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let (code, said_so) = refused(&mut release(&["checksums", text(folder.path())?]))?;
    assert_eq!(code, 1);
    assert!(said_so.contains("there is nothing in"), "{said_so}");

    fs::write(file("b.deb"), "b")?;
    fs::write(file("a.tar.gz"), "a")?;
    fs::write(file("NOTES.md"), "not a file of the release")?;
    for _ in 0..2 {
        said(&mut release(&["checksums", text(folder.path())?]))?;
        let sums = fs::read_to_string(file("SHA256SUMS"))?;
        let listed: Vec<&str> = sums
            .lines()
            .map(|line| line.split_once("  ").unwrap().1)
            .collect();
        assert_eq!(listed, ["a.tar.gz", "b.deb"]);
    }
    let check = || {
        let mut command = Command::new("sha256sum");
        command.args(["--check", "--quiet", "SHA256SUMS"]);
        command.current_dir(folder.path());
        command
    };
    said(&mut check())?;
    fs::write(file("b.deb"), "changed")?;
    refused(&mut check())?;
    Ok(())
}

pub(crate) async fn tag_is_the_version() -> Result<(), Failed> {
    said(&mut release(&["check", &format!("v{VERSION}")]))?;
    for tag in [VERSION, "v999.0.0", "main"] {
        let (code, said_so) = refused(&mut release(&["check", tag]))?;
        assert_eq!(code, 1);
        assert!(said_so.contains("they must agree"), "{said_so}");
    }
    Ok(())
}

/// With a copy of the manifest, since the project has no address yet.
pub(crate) async fn repository_is_set() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    for name in [".ci/release", "Cargo.toml", "console/Cargo.toml"] {
        fs::create_dir_all(top.join(name).parent().unwrap())?;
        fs::copy(checkout().join(name), top.join(name))?;
    }
    let check = |repository: Option<&str>| {
        let mut command = at(&top.join(".ci/release"));
        command.args(["check", &format!("v{VERSION}")]);
        match repository {
            Some(name) => command.env("GITHUB_REPOSITORY", name),
            None => command.env_remove("GITHUB_REPOSITORY"),
        };
        command.env_remove("GITHUB_SERVER_URL");
        command
    };
    let manifest = fs::read_to_string(top.join("console/Cargo.toml"))?;
    let lines = manifest
        .lines()
        .filter(|line| !line.starts_with("repository"));
    let without = lines.collect::<Vec<_>>().join("\n");
    fs::write(top.join("console/Cargo.toml"), &without)?;
    let (_, told) = refused(&mut check(Some("them/console")))?;
    let wanted = "repository = \"https://github.com/them/console\"";
    assert!(told.contains(wanted), "{told}");
    let with = without.replace("[package]\n", &format!("[package]\n{wanted}\n"));
    fs::write(top.join("console/Cargo.toml"), with)?;
    said(&mut check(Some("them/console")))?;
    refused(&mut check(Some("others/console")))?;
    said(&mut check(None))?;
    Ok(())
}

/// In a repository of its own.
pub(crate) async fn notes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    fs::create_dir(top.join(".ci"))?;
    fs::copy(checkout().join(".ci/release"), top.join(".ci/release"))?;
    fs::copy(checkout().join("Cargo.toml"), top.join("Cargo.toml"))?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        command.args(["-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]);
        command.args(arguments).current_dir(top);
        said(command.env("GIT_CONFIG_GLOBAL", "/dev/null"))
    };
    let commit = |subject: &str| git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
    git(&["init", "--quiet"])?;
    commit("api: Before")?;
    git(&["tag", "v0.0.1"])?;
    commit("console: Show it")?;
    commit("console, api: Move it")?;
    commit("console, event: Name it")?;
    commit("console, api: Count it")?;
    commit("api: Answer: with a colon")?;
    commit("Without an area")?;
    commit("console: Hide it")?;
    git(&["tag", "v0.0.2"])?;

    let write = |tag: &str| {
        let mut command = at(&top.join(".ci/release"));
        command.env("GITHUB_REPOSITORY", "them/console");
        said(command.args(["notes", tag, "out"]))?;
        Ok::<_, Failed>(fs::read_to_string(top.join("out/NOTES.md"))?)
    };
    let notes = write("v0.0.2")?;
    let changes = "Changes since v0.0.1.\n\n**api**\n\n- Answer: with a colon\n\n**console**\n\n- Hide it\n\
         - Show it\n\n**console, api**\n\n- Count it\n- Move it\n\n**console, event**\n\n- Name it\n\n\
         **other**\n\n- Without an area\n";
    assert!(notes.starts_with(changes), "{notes}");
    let verify = "`gh attestation verify FILE --repo them/console`.\n";
    assert!(notes.ends_with(verify), "{notes}");
    let first = write("v0.0.1")?;
    assert!(
        first.starts_with("Changes since the beginning.\n\n**api**\n\n- Before\n"),
        "{first}"
    );
    Ok(())
}

/// A program of the machine, replaced by a script.
fn write_program(folder: &Path, name: &str, text: &str) -> Result<(), Failed> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// A registry refuses capitals, and the owner of a repository can have them.
pub(crate) async fn image_name() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let calls = folder.path().join("calls");
    let docker = "#!/usr/bin/env bash\necho \"$@\" >>\"$CALLS\"\n";
    write_program(folder.path(), "docker", docker)?;
    let run = |arguments: &[&str]| {
        let mut command = release(arguments);
        command.env("CALLS", &calls).env_remove("REGISTRY_TOKEN");
        command.env_remove("GITHUB_OUTPUT");
        with_program(&mut command, folder.path());
        said(&mut command)
    };
    run(&["image", "ghcr.io/MyOrg/opsconsole-api", "arm64"])?;
    let name = run(&["manifest", "ghcr.io/MyOrg/opsconsole-api", "arm64", "amd64"])?;
    // The attestation is of this name.
    assert!(
        name.contains("name=ghcr.io/myorg/opsconsole-api\n"),
        "{name}"
    );
    let called = fs::read_to_string(&calls)?;
    assert!(called.contains(&format!(
        "push ghcr.io/myorg/opsconsole-api:{VERSION}-arm64\n"
    )));
    assert!(!called.contains("MyOrg"), "{called}");
    Ok(())
}

/// With a Python in which pip may install nothing (PEP 668), as on Debian and Ubuntu.
pub(crate) async fn cross_tools() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let programs = folder.path().join("programs");
    let calls = folder.path().join("calls");
    fs::create_dir(&programs)?;
    let note = r#"#!/usr/bin/env bash\necho "$(basename "$0") $*" >>"$CALLS"\n"#;
    let python = format!(
        "#!/usr/bin/env bash\n\
         [ \"$1 $2\" = '-m venv' ] || {{ echo externally-managed-environment >&2; exit 1; }}\n\
         bin=${{@: -1}}/bin\nmkdir -p \"$bin\"\n\
         for name in pip cargo-zigbuild; do printf '{note}' >\"$bin/$name\"; chmod +x \"$bin/$name\"; done\n\
         echo 'exit 7' >>\"$bin/cargo-zigbuild\"\n"
    );
    write_program(&programs, "python3", &python)?;
    write_program(&programs, "rustup", &note.replace("\\n", "\n"))?;
    let command = |arguments: &[&str]| {
        let mut command = script("release");
        command.args(arguments).env("CALLS", &calls);
        command.env("XDG_CACHE_HOME", folder.path().join("cache"));
        command.env_remove("RELEASE_PROFILE");
        with_program(&mut command, &programs);
        command
    };
    said(&mut command(&["tools", "cross"]))?;
    // Another step of a workflow is another run of the script.
    let out = folder.path().join("out");
    let console = ["console", "x86_64-unknown-linux-musl", text(&out)?];
    refused(&mut command(&console))?;
    let called = fs::read_to_string(&calls)?;
    let expected = [
        "pip install --quiet --disable-pip-version-check cargo-zigbuild==",
        "rustup target add aarch64-unknown-linux-gnu",
        "cargo-zigbuild zigbuild --locked --profile operator -p opsconsole --no-default-features",
    ];
    for expected in expected {
        assert!(called.contains(expected), "{expected}: {called}");
    }
    Ok(())
}

/// In the place of cargo: `cyclonedx` writes a file for each member, with a crate that is compiled and one that is not.
const CARGO: &str = r#"#!/usr/bin/env bash
if [ "$1" = tree ]; then
    printf '0 %s v0.1.0 (/somewhere)\n1 used v1.0.0\n2 deep v2.0.0 (*)\n\n' opsconsole api ingest migrate
    printf '0 event v0.1.0\n1 unused v1.0.0\n'
    exit
fi
component() { printf '{"name": "%s", "version": "%s", "bom-ref": "%s"}' "$1" "$2" "$1"; }
for member in $MEMBERS; do
    {
        printf '{"member": "%s", "arguments": "%s", "at": "path+file://%s/%s", ' "$member" "$*" "$PWD" "$member"
        printf '"metadata": {"component": %s}, "components": [' "$(component own 0.1.0)"
        printf '%s, %s, ' "$(component used 1.0.0)" "$(component used 0.9.0)"
        printf '%s, %s], ' "$(component unused 1.0.0)" "$(component deep 2.0.0)"
        printf '"dependencies": [{"ref": "own", "dependsOn": ["used", "unused"]}, {"ref": "unused"}]}'
    } >"$member/release.json"
done
"#;

/// In a workspace of its own.
pub(crate) async fn sbom() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path().canonicalize()?;
    let members = [
        "console",
        "lambdas/api",
        "lambdas/ingest",
        "lambdas/migrate",
        "shared/event",
    ];
    for member in members {
        fs::create_dir_all(top.join(member))?;
    }
    fs::create_dir(top.join(".ci"))?;
    fs::copy(checkout().join(".ci/release"), top.join(".ci/release"))?;
    fs::copy(checkout().join("Cargo.toml"), top.join("Cargo.toml"))?;
    fs::create_dir(top.join("programs"))?;
    write_program(&top.join("programs"), "cargo", CARGO)?;
    let mut git = Command::new("git");
    said(git.args(["init", "--quiet"]).current_dir(&top))?;
    let mut command = at(&top.join(".ci/release"));
    with_program(&mut command, &top.join("programs"));
    command.env("MEMBERS", members.join(" "));
    said(command.args(["sbom", "out"]))?;

    let file = |program: &str| format!("opsconsole-{program}-{VERSION}.cdx.json");
    let programs = ["api", "console-linux", "console-macos", "ingest", "migrate"];
    assert_eq!(names(&top.join("out"))?, programs.map(file));
    for program in programs {
        let text = fs::read_to_string(top.join("out").join(file(program)))?;
        let bom: Value = serde_json::from_str(&text)?;
        // Of the console without its demo, of the crates of its system, and of each program itself.
        let arguments = bom["arguments"].as_str().unwrap();
        let (name, system) = program.split_once('-').unwrap_or((program, "linux"));
        let is_without_demo = arguments.contains("--no-default-features");
        assert_eq!(is_without_demo, name == "console", "{arguments}");
        let is_of_macos = arguments.contains("--target aarch64-apple-darwin");
        assert_eq!(is_of_macos, system == "macos", "{arguments}");
        assert!(arguments.contains("--target "), "{arguments}");
        let member = bom["member"].as_str().unwrap();
        assert!(member.ends_with(name), "{bom}");
        let manifest = format!("--manifest-path {member}/Cargo.toml");
        assert!(arguments.contains(&manifest), "{arguments}");
        // Of what is compiled, and of no folder of this machine.
        let components = bom["components"].as_array().unwrap().iter();
        let listed: Vec<_> = components
            .map(|one| (one["name"].as_str(), one["version"].as_str()))
            .collect();
        let expected = [(Some("used"), Some("1.0.0")), (Some("deep"), Some("2.0.0"))];
        assert_eq!(listed, expected, "{bom}");
        let uses = serde_json::json!([{"ref": "own", "dependsOn": ["used"]}]);
        assert_eq!(bom["dependencies"], uses, "{bom}");
        assert_eq!(bom["at"], format!("path+file:///{member}"));
    }
    for member in members {
        assert_eq!(names(&top.join(member))?, [""; 0], "left over in {member}");
    }
    Ok(())
}

pub(crate) async fn usage() -> Result<(), Failed> {
    for (name, arguments, expected) in [
        ("release", &[][..], ".ci/release console TARGET FOLDER"),
        ("release", &["console"], ".ci/release console TARGET FOLDER"),
        ("deploy", &["plan"], ".ci/deploy plan FOLDER OUT"),
        (
            "deploy-smoke",
            &["pilot", "501"],
            ".ci/deploy-smoke ENVIRONMENT EVENTS",
        ),
    ] {
        let (code, said_so) = refused(script(name).args(arguments))?;
        assert_eq!(code, 2, "{name} {arguments:?}");
        assert!(said_so.contains(expected), "{said_so}");
    }
    Ok(())
}
