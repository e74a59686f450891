//! Guilds that change their shard.

use serde_json::{Value, json};

use super::scene::{Scene, guild};
use crate::wire::{GuildId, ShardKey};

/// What a beat of this process says of the shards that these counts give to the guild.
fn beat(scene: &Scene, instance: &str, guild: GuildId, counts: &[u32], unavailable: &[GuildId]) {
    let key = |count: &u32| ShardKey::of(guild, *count);
    let shards: Vec<_> = counts.iter().map(key).map(|key| json!({"id": key.id, "count": key.count})).collect();
    scene.beat(&json!({"instance": instance, "shards": shards, "unavailable": unavailable}));
}

/// The newest status that a viewer of one guild was told, and the one that is so.
fn newest(scene: &mut Scene, viewer: usize, guild: GuildId) -> (Value, Value) {
    scene.settle();
    let told = scene.viewers[viewer].statuses().pop().unwrap_or(Value::Null);
    let facts = scene.monitor.facts(guild);
    (json!([told["state"], told["shard"]["count"]]), json!([facts.state, facts.shard.map(|shard| shard.count)]))
}

#[test]
fn a_viewer_is_told_of_the_new_shard_of_its_guild_and_no_more_of_the_old_one() {
    let mut scene = Scene::start();
    let guild = guild(5);
    let viewer = scene.watch(&[guild]);
    for (count, version, expected) in
        [(2, "1", json!(["online", 2])), (3, "2", json!(["online", 3])), (2, "3", json!([null, null]))]
    {
        let shards: Vec<_> = (0..count).map(|id| json!({"id": id, "count": count})).collect();
        scene.beat(&json!({"instance": count.to_string(), "version": version, "shards": shards}));
        assert_eq!(newest(&mut scene, viewer, guild).0, expected);
    }
    scene.goodbye(&json!({"instance": "3"}));
    let (told, so) = newest(&mut scene, viewer, guild);
    assert_eq!((&told, &so), (&json!(["online", 2]), &told));
}

#[test]
fn an_exception_that_ends_while_the_guild_is_away_has_ended_when_it_is_back() {
    let mut scene = Scene::start();
    let (guild, other) = (guild(5), guild(0));
    scene.beat(&json!({"instance": "b", "shards": [{"id": 0, "count": 2}, {"id": 1, "count": 2}]}));
    let viewer = scene.watch(&[guild]);
    beat(&scene, "a", guild, &[2, 4], &[guild]);
    assert_eq!(newest(&mut scene, viewer, guild).0, json!(["unavailable", 2]));
    // It moves to the shards of another count, and back, before the reactor looks.
    beat(&scene, "a", other, &[2, 4], &[]);
    assert_eq!(scene.monitor.facts(guild).shard.unwrap().count, 4);
    scene.goodbye(&json!({"instance": "a"}));
    let (told, so) = newest(&mut scene, viewer, guild);
    assert_eq!((&told, &so), (&json!(["online", 2]), &json!(["online", 2])));
}
