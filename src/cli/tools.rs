//! Commands that tell of p2pcp itself. They do what they do whatever the config file says.

use crate::cli::arguments::Tool;
use crate::cli::environment::Environment;
use crate::cli::{complete, man, show};
use crate::error::{Error, Finish};
use crate::ui::Reporter;

pub(super) async fn run(tool: Tool, environment: Environment, reporter: &Reporter) -> Result<Finish, Error> {
    match tool {
        Tool::Config(command) => show::run(command, environment, reporter),
        Tool::Completions(args) => complete::script(&args, reporter),
        Tool::CompleteCode(args) => complete::codes(args, reporter).await,
        Tool::Man(args) => man::run(args.dir.as_deref(), reporter),
    }
}
