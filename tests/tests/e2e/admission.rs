//! Plugins on their way in: compiled in a process of their own, checked whatever happens, kept compiled, bounded.

use std::{fs, path::PathBuf, time::Duration};

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    example::example,
    guest::{Forge, Guest},
    receiver::Reply,
    server::{Installation, Server},
    stage::Stage,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);
const RETRO: &str = "retro.completed";

/// Ten kilobytes that take a compiler twenty seconds: loops in loops, in the innermost of which every local changes.
pub(crate) fn slow_bomb(name: &str) -> Vec<u8> {
    const LOOPS: usize = 200;
    const LOCALS: usize = 400;
    let change = |n| format!("(local.set {n} (i32.add (local.get {n}) (local.get {})))", (n + 1) % LOCALS);
    let changes = (0..LOCALS).map(change).collect::<Vec<_>>().concat();
    let ends = "(br_if 0 (local.get 0)))".repeat(LOOPS);
    let function = format!("(func (local{}) {}{changes}{ends})", " i32".repeat(LOCALS), "(loop ".repeat(LOOPS));
    Forge::new(name).items(&function).component()
}

/// Ten bytes for each instruction, of which a compiler makes a thousand: all in a straight line.
pub(crate) fn large_bomb(name: &str, instructions: usize) -> Vec<u8> {
    let line = "(local.set $n (i32.add (local.get $n) (i32.load (local.get $n))))";
    Forge::new(name).transform(&line.repeat(instructions)).component()
}

/// What a refused upload says: the problem's code, the error's code and its limit.
async fn refusal(api: &Api, component: Vec<u8>) -> (u16, String, Value) {
    let problem = api.upload(component).await.expect_err("it is refused").problem();
    (problem.status, problem.code.clone(), *problem.plugin_error.clone().expect("what is wrong with the plugin"))
}

async fn status(api: &Api, name: &str, version: &str) -> Value {
    api.get(&format!("/plugins/{name}/versions/{version}")).await.expect("it is there").body["status"].clone()
}

async fn ready(api: &Api, name: &str, version: &str) {
    let what = format!("{name} is ready");
    eventually(PATIENCE, &what, async || (status(api, name, version).await == "ready").then_some(())).await;
}

/// A webhook that passes events through the example for Slack.
async fn slack(stage: &Stage) {
    let plugin = stage.api.install(example("slack")).await;
    let run = json!({ "name": plugin.name, "version": plugin.version, "config": {}, "secrets": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/slack"), "events": [RETRO], "plugin": run })).await;
}

async fn delivered(api: &Api) {
    let retro = hookwright_tests::catalogue::retro(&["Buy cake"]);
    let delivery = api.publish_one(RETRO, retro).await;
    let settled = api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
}

fn cached(folder: &std::path::Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("hookwright.plugin-cache")).expect("the folder of compiled plugins");
    files.map(|file| file.expect("a file").path()).collect()
}

#[tokio::test]
async fn a_bomb_for_the_compiler_ends_in_a_process_of_its_own() {
    let installation = Installation::new().env("HOOKWRIGHT_PLUGINS_COMPILE_CPU_S", "1");
    let stage = Stage::on(installation).await;
    let before = stage.server.resident_bytes();
    stage.api.register(&json!({ "url": stage.receiver.url("/good"), "events": ["good.*"] })).await;

    let cpu = slow_bomb("cpu-bomb");
    assert!(cpu.len() < 10_000, "{} bytes are little to send", cpu.len());
    let (cpu, ()) = tokio::join!(refusal(&stage.api, cpu), async {
        for n in 0..50 {
            stage.api.publish_one("good.event", json!({ "n": n })).await;
        }
    });
    assert_eq!((cpu.0, cpu.1.as_str(), &cpu.2["code"]), (422, "plugin_refused", &json!("plugin.compile_limit")));
    assert_eq!((&cpu.2["limit"], &cpu.2["allowed"]), (&json!("compile_cpu_s"), &json!(1)), "{cpu:?}");
    stage.receiver.wait("/good", 50).await;
    let grown = stage.server.resident_bytes().saturating_sub(before);
    assert!(grown < 256 * 1024 * 1024, "the server has grown by {grown} bytes");
    assert_eq!(status(&stage.api, "cpu-bomb", "0.1.0").await, "refused");
    delivered_after_all(&stage).await;
}

/// The server is as it was: a good plugin is taken and works.
async fn delivered_after_all(stage: &Stage) {
    slack(stage).await;
    delivered(&stage.api).await;
}

#[tokio::test]
async fn memory_of_the_compiler_is_bounded() {
    let installation = Installation::new().env("HOOKWRIGHT_PLUGINS_COMPILE_MEMORY_BYTES", "268435456");
    let stage = Stage::on(installation).await;
    let (status, _, error) = refusal(&stage.api, large_bomb("memory-bomb", 200_000)).await;
    assert_eq!(
        (status, &error["limit"], &error["allowed"]),
        (422, &json!("compile_memory_bytes"), &json!(268_435_456))
    );
    delivered_after_all(&stage).await;
}

/// The first instance of all may be slow for want of warmth, so it is tried twice; not for ever.
#[tokio::test]
async fn an_instance_that_never_comes_to_be_is_refused() {
    let stage = Stage::open().await;
    let endless = Forge::new("endless").items("(func $begin (loop (br 0))) (start $begin)").component();
    let (status, code, error) = refusal(&stage.api, endless).await;
    assert_eq!((status, code.as_str()), (422, "plugin_refused"));
    assert_eq!((&error["code"], &error["limit"]), (&json!("plugin.timeout"), &json!("cpu_ms")), "{error}");
    delivered_after_all(&stage).await;
}

#[tokio::test]
async fn compiled_code_and_time_are_bounded() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_COMPILE_OUTPUT_BYTES", "20000")).await;
    let (_, _, error) = refusal(&stage.api, example("slack")).await;
    let used = error["used"].as_u64().expect("what it would need");
    assert_eq!((&error["limit"], &error["allowed"]), (&json!("compile_output_bytes"), &json!(20_000)));
    assert!(used > 20_000, "{error}");
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_COMPILE_WALL_MS", "1")).await;
    let (_, _, error) = refusal(&stage.api, example("slack")).await;
    assert_eq!((&error["limit"], &error["allowed"]), (&json!("compile_wall_ms"), &json!(1)));
}

#[tokio::test]
async fn an_upload_that_takes_long_is_answered_before_it_is_checked() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_UPLOAD_WAIT_MS", "0")).await;
    let answer = stage.api.upload(example("slack")).await.expect("it is taken");
    assert_eq!((answer.status, &answer.body["status"]), (202, &json!("checking")));
    let again = stage.api.upload(example("slack")).await.expect("it is there");
    assert!([202, 200].contains(&again.status), "{again:?}");
    let version = answer.body["version"].as_str().expect("a version");
    ready(&stage.api, "slack", version).await;
    let again = stage.api.upload(example("slack")).await.expect("it is there");
    assert_eq!((again.status, &again.body["status"]), (200, &json!("ready")));
}

#[tokio::test]
async fn a_check_that_a_crash_interrupts_goes_on() {
    let installation = Installation::new().env("HOOKWRIGHT_PLUGINS_UPLOAD_WAIT_MS", "0");
    let server = installation.start().await;
    // Before the one that is looked at stands one that takes long.
    let first = server.api().upload(slow_bomb("slow")).await.expect("it is taken");
    let second = server.api().upload(Guest::Trapper.component()).await.expect("it is taken");
    assert_eq!((first.status, second.status), (202, 202));
    let server = server.kill().await.env("HOOKWRIGHT_PLUGINS_COMPILE_CPU_S", "1").start().await;
    ready(&server.api(), "trapper", "0.1.0").await;
    let refused = async || (status(&server.api(), "slow", "0.1.0").await == "refused").then_some(());
    eventually(PATIENCE, "what takes too long is refused", refused).await;
}

/// The server ends, its compiled plugins are changed, and it starts again.
async fn restarted(server: Server, change: impl FnOnce(&std::path::Path)) -> Server {
    let installation = server.stop().await;
    change(installation.folder());
    installation.start().await
}

#[tokio::test]
async fn compiled_plugins_are_kept_and_made_again_when_they_are_damaged_or_gone() {
    let mut stage = Stage::open().await;
    slack(&stage).await;
    delivered(&stage.api).await;
    let files = cached(stage.server.folder());
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let written = || fs::read(file).expect("the compiled plugin");
    let whole = written();

    stage.server = restarted(stage.server, |_| ()).await;
    delivered(&stage.server.api()).await;
    assert!(!stage.server.log().contains("cannot be used"), "{}", stage.server.log());

    stage.server = restarted(stage.server, |_| {
        let mut broken = whole.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 1;
        fs::write(file, broken).expect("it is damaged");
    })
    .await;
    delivered(&stage.server.api()).await;
    assert!(stage.server.log().contains("its seal is broken"), "{}", stage.server.log());
    assert_eq!(written(), whole, "it was made again");

    stage.server = restarted(stage.server, |folder| {
        fs::remove_dir_all(folder.join("hookwright.plugin-cache")).expect("it is removed");
    })
    .await;
    delivered(&stage.server.api()).await;
    assert_eq!(written(), whole);
}

#[tokio::test]
async fn what_does_not_fit_in_memory_comes_back_when_it_is_used() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_LOADED_BYTES", "1")).await;
    slack(&stage).await;
    for _ in 0..3 {
        stage.api.upload(Guest::Trapper.component()).await.expect("it is taken, or there");
        delivered(&stage.api).await;
    }
    let plugin = stage.api.install(example("trello")).await;
    let run = json!({ "name": plugin.name, "version": plugin.version, "config": { "list_id": "5abbe4b7ddc1b351ef961414" },
        "secrets": { "key": "k", "token": "t" } });
    stage.api.register(&json!({ "url": stage.receiver.url("/trello"), "events": [RETRO], "plugin": run })).await;
    for _ in 0..3 {
        let retro = hookwright_tests::catalogue::retro(&["Buy cake"]);
        let accepted = stage.api.publish(RETRO, retro).await;
        for delivery in accepted.deliveries {
            let settled = stage.api.settled(&delivery.id).await;
            assert_eq!(settled.status, "succeeded", "{settled:#?}");
        }
    }
}

#[tokio::test]
async fn a_version_in_use_is_not_deleted_and_a_project_has_a_quota() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_VERSIONS_PER_PROJECT", "1")).await;
    let plugin = stage.api.install(Guest::Trapper.component()).await;
    let problem = stage.api.upload(Guest::Looper.component()).await.expect_err("one is all there may be").problem();
    assert_eq!((problem.status, problem.code.as_str()), (422, "quota_exceeded"));
    let run = json!({ "name": plugin.name, "version": plugin.version, "config": {}, "secrets": {} });
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/x"), "events": ["*"], "plugin": run })).await;

    let path = "/plugins/trapper/versions/0.1.0";
    let problem = stage.api.delete(path).await.expect_err("a webhook uses it").problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "in_use"));
    assert!(problem.detail.contains(&webhook.id), "{problem:?}");
    stage.api.delete(&format!("/webhooks/{}", webhook.id)).await.expect("the webhook is deleted");
    assert_eq!(stage.api.delete(path).await.expect("it is deleted").status, 204);
    assert_eq!(stage.api.get(path).await.expect_err("it is gone").problem().status, 404);
    stage.api.install(Guest::Looper.component()).await;
}

#[tokio::test]
async fn a_version_that_an_open_delivery_needs_is_not_deleted() {
    let stage = Stage::open().await;
    let plugin = stage.api.install(example("slack")).await;
    stage.receiver.on("/slack", [Reply::status(500)]);
    let run = json!({ "name": plugin.name, "version": plugin.version });
    let webhook =
        json!({ "url": stage.receiver.url("/slack"), "events": [RETRO], "plugin": run, "retry": [0, 3_600_000] });
    let webhook = stage.api.register(&webhook).await;
    stage.api.publish_one(RETRO, hookwright_tests::catalogue::retro(&["Buy cake"])).await;
    stage.receiver.wait("/slack", 1).await;
    stage.api.patch(&format!("/webhooks/{}", webhook.id), &json!({ "plugin": null })).await.expect("changed");
    let path = format!("/plugins/slack/versions/{}", plugin.version);
    let problem = stage.api.delete(&path).await.expect_err("its delivery needs it").problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "in_use"));
    assert!(problem.detail.contains(&webhook.id), "{problem:?}");
}
