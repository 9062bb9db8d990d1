//! Draws `screenshots/architecture.svg` and `architecture-dark.svg` from the files of Terraform:
//! `cargo run -p opsconsole --example architecture`.
//!
//! It fails, and writes nothing, where Terraform has what the picture neither shows nor leaves out for a reason, and
//! where the picture shows what Terraform has not.

mod picture;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let drawings = picture::draw(&workspace.join("terraform"))?;
    for ((name, _), drawing) in picture::FILES.iter().zip(drawings) {
        std::fs::write(workspace.join("screenshots").join(name), drawing)?;
        println!("wrote screenshots/{name}");
    }
    Ok(())
}
