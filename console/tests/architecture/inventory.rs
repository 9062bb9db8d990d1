//! Terraform changes, and the picture does not yet: the program draws nothing and says what is missing.

use std::fs;
use std::path::Path;

use crate::checkout;
use crate::picture::inventory::{self, Component};
use crate::picture::terraform::Terraform;
use crate::picture::{self, PictureError};

/// Terraform's folder with one file changed, in a folder of its own.
fn changed(file: &str, change: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&checkout().join("terraform"), folder.path());
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let before = fs::read_to_string(&path).unwrap_or_default();
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was changed in {file}");
    fs::write(path, after).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != ".terraform" {
            copy(&path, &to.join(name));
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            fs::copy(path, to.join(name)).unwrap();
        }
    }
}

fn differences(folder: &tempfile::TempDir) -> Vec<String> {
    match picture::draw(folder.path()) {
        Err(PictureError::Differs(differences)) => differences,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was drawn"),
    }
}

fn and(more: &str) -> impl FnOnce(String) -> String {
    move |text| text + "\n" + more + "\n"
}

fn replace(from: &str, to: &str) -> impl FnOnce(String) -> String {
    move |text| text.replace(from, to)
}

#[test]
fn new_kind_of_resource_is_refused() {
    let more = "resource \"aws_elasticache_cluster\" \"cache\" {}";
    let folder = changed("modules/network/main.tf", and(more));
    let expected =
        "aws_elasticache_cluster.cache of modules/network is neither drawn nor listed as not drawn";
    assert_eq!(differences(&folder), [expected]);
}

/// The kind is known, and this one is not drawn.
#[test]
fn second_resource_of_a_drawn_kind_is_refused() {
    let folder = changed(
        "modules/messaging/main.tf",
        and("resource \"aws_sqs_queue\" \"late\" {}"),
    );
    let expected =
        "aws_sqs_queue.late of modules/messaging is neither drawn nor listed as not drawn";
    assert_eq!(differences(&folder), [expected]);
}

#[test]
fn new_module_is_refused() {
    let role = "resource \"aws_iam_role\" \"this\" {}";
    let folder = changed("modules/cache/main.tf", and(role));
    assert_eq!(
        differences(&folder),
        ["modules/cache is neither drawn nor listed as not drawn"]
    );
    let folder = changed("main.tf", and("module \"second_ingest\" {}"));
    let expected =
        "module.second_ingest of the root module is neither drawn nor listed as not drawn";
    assert_eq!(differences(&folder), [expected]);
}

#[test]
fn new_environment_is_refused() {
    let folder = changed(
        "environments/staging/main.tf",
        and("module \"pipeline\" {}"),
    );
    assert_eq!(
        differences(&folder),
        ["environments/staging is neither drawn nor listed as not drawn"]
    );
}

#[test]
fn part_that_terraform_does_not_have_is_refused() {
    let removed = replace(
        "resource \"aws_nat_gateway\" \"this\"",
        "data \"aws_nat_gateway\" \"this\"",
    );
    let folder = changed("modules/network/main.tf", removed);
    let expected = "the picture draws aws_nat_gateway.this, which modules/network does not have";
    assert_eq!(differences(&folder), [expected]);
}

#[test]
fn component_that_nothing_draws_is_a_difference() {
    let terraform = Terraform::read(&checkout().join("terraform")).unwrap();
    let of =
        |drawn: &[Component]| inventory::differences(&terraform, &drawn.iter().copied().collect());
    let expected = "Topic is in the inventory, and nothing draws it".to_owned();
    assert!(of(&[]).contains(&expected));
    assert!(!of(&[Component::Topic]).contains(&expected));
}

#[test]
fn reason_for_what_terraform_does_not_have_is_refused() {
    let removed = replace(
        "resource \"aws_kms_alias\" \"this\"",
        "data \"aws_kms_alias\" \"this\"",
    );
    let folder = changed("modules/key/main.tf", removed);
    let expected = "aws_kms_alias is listed as not drawn, and Terraform does not have it";
    assert_eq!(differences(&folder), [expected]);
}

#[test]
fn picture_follows_the_settings_of_the_environments() {
    let light = |folder: &Path| picture::draw(folder).unwrap().into_iter().next().unwrap();
    let count = |drawing: &str, text: &str| drawing.matches(&format!(">{text}</text>")).count();
    let before = light(&checkout().join("terraform"));
    assert_eq!(count(&before, "0\u{2013}2 ACU, pauses"), 1);
    // In the table, and beside the gateway.
    assert_eq!(count(&before, "pilot"), 2);
    assert_eq!(count(&before, "IPv6"), 1);

    let pilot = "environments/pilot/main.tf";
    let folder = changed(
        pilot,
        replace("ipv6_egress_enabled = true", "sqs_endpoint_enabled = true"),
    );
    let after = light(folder.path());
    assert_eq!(count(&after, "pilot"), 1);
    assert_eq!(count(&after, "IPv6"), 0);
    assert_eq!(count(&after, "endpoint in each zone"), 2);
    // The gateway is optional now, the endpoints are in both.
    assert_eq!(count(&after, "optional"), count(&before, "optional") + 1);
    assert_eq!(
        count(&after, "production"),
        count(&before, "production") - 2
    );

    let folder = changed(
        pilot,
        replace("max_capacity_acu       = 2", "max_capacity_acu       = 3"),
    );
    let after = light(folder.path());
    assert_eq!(count(&before, "0\u{2013}2 ACU, pauses"), 1);
    assert_eq!(count(&after, "0\u{2013}3 ACU, pauses"), 1);
}

/// `cidrsubnet("10.20.0.0/16", 4, N)`: a sixteenth is a /20, so its third byte is 16 times N.
#[test]
fn subnets_have_the_blocks_that_terraform_computes() {
    let [light, _] = picture::draw(&checkout().join("terraform")).unwrap();
    for block in ["10.20.0.0/20", "10.20.16.0/20"] {
        assert!(
            light.contains(&format!(">Public subnet {block}<")),
            "{block}"
        );
    }
    for block in ["10.20.128.0/20", "10.20.144.0/20"] {
        assert!(
            light.contains(&format!(">Private subnet {block}<")),
            "{block}"
        );
    }
}

/// One value in the picture must be true in both environments.
#[test]
fn value_that_the_picture_shows_once_may_not_differ() {
    let folder = changed(
        "environments/pilot/main.tf",
        replace(
            "maximum_concurrency = 2",
            "maximum_concurrency = 2\n    batch_size = 10",
        ),
    );
    let error = picture::draw(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("pilot and production differ in ingest.batch_size"),
        "{error}"
    );
}
