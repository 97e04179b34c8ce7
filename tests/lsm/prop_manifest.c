/* Manifests against a plain model: random edits, edits that do not follow, new logs at random sizes,
 * reopenings, and others who read along. */
#include "manifest_model.h"

enum { ROUNDS = 25, STEPS = 120, READERS = 2 };

struct world {
    support_world base;
    support_random random;
    struct model model;
    struct model_edit edit;
    stoa_manifest *manifest;
    stoa_manifest *readers[READERS];
};

static stoa_manifest_options options_of(struct world *world, bool read_only) {
    static const uint64_t bounds[] = {1, 300, 4000, 0};
    return (
        stoa_manifest_options){.context = {.pool = world->base.pool},
                               .file_systems = world->base.registry,
                               .directory = "test:/db/state",
                               .create = !read_only,
                               .read_only = read_only,
                               .checkpoint_bytes = bounds[support_random_below(&world->random, 4)]};
}

static void check(const struct world *world, const stoa_manifest *manifest) {
    assert_true(model_same(&world->model, stoa_manifest_state_of(manifest)));
}

static void reopen(struct world *world) {
    stoa_error err;
    const stoa_manifest_options options = options_of(world, false);
    stoa_manifest_close(world->manifest);
    assert_ok(stoa_manifest_open(&options, &world->manifest, &err), err);
    check(world, world->manifest);
}

static void read_along(struct world *world) {
    stoa_manifest **reader = &world->readers[support_random_below(&world->random, READERS)];
    stoa_error err;
    bool changed;
    if (*reader != NULL && support_random_below(&world->random, 6) == 0) {
        stoa_manifest_close(*reader);
        *reader = NULL;
    }
    if (*reader == NULL) {
        const stoa_manifest_options options = options_of(world, true);
        assert_ok(stoa_manifest_open(&options, reader, &err), err);
    } else {
        const bool was_same = model_same(&world->model, stoa_manifest_state_of(*reader));
        assert_ok(stoa_manifest_follow(*reader, &changed, &err), err);
        assert_true(changed || was_same);
    }
    check(world, *reader);
    assert_ok(stoa_manifest_follow(*reader, &changed, &err), err);
    assert_false(changed);
}

static void append(struct world *world) {
    stoa_error err;
    model_random_edit(&world->random, &world->model, &world->edit);
    assert_ok(stoa_manifest_append(world->manifest, &world->edit.edit, &err), err);
    model_apply(&world->model, &world->edit.edit);
    check(world, world->manifest);
}

/* ---- What does not follow -------------------------------------------------------------------- */

static void refuse(struct world *world, const stoa_manifest_edit *edit, const char *message) {
    stoa_error err;
    assert_fails(stoa_manifest_append(world->manifest, edit, &err), STOA_CORRUPT, message, err);
    check(world, world->manifest);
}

static void append_wrongly(struct world *world) {
    const struct model *model = &world->model;
    const int64_t no_table = model->next_table + 100;
    const stoa_manifest_table twice[] = {{no_table, "a"}, {no_table, "b"}};
    const stoa_manifest_removal gone = {model->tables[0].id, model->next_file};
    stoa_manifest_file file = {.table_id = no_table, .info = {.number = model->next_file}};
    const uint64_t next = model->next_file + 1;
    refuse(world, &(stoa_manifest_edit){.tables = twice, .table_count = 2}, "named twice");
    refuse(world, &(stoa_manifest_edit){.dropped = &no_table, .dropped_count = 1},
           "which is dropped, but found none");
    refuse(world, &(stoa_manifest_edit){.removed = &gone, .removed_count = 1}, "but found none");
    refuse(world, &(stoa_manifest_edit){.added = &file, .added_count = 1, .next_file = next},
           "there is no such table");
    file.table_id = model->tables[0].id;
    refuse(world, &(stoa_manifest_edit){.added = &file, .added_count = 1},
           "from which on all are free");
    file.info.level = STOA_LEVELS;
    refuse(world, &(stoa_manifest_edit){.added = &file, .added_count = 1, .next_file = next},
           "expected a level from 0 to 6 but found 7");
    if (model->file_count > 0) {
        const stoa_manifest_file *there = &model->files[model->file_count - 1].file;
        const stoa_manifest_removal both[] = {{there->table_id, there->info.number},
                                              {there->table_id, there->info.number}};
        refuse(world, &(stoa_manifest_edit){.added = there, .added_count = 1}, "there already");
        refuse(world, &(stoa_manifest_edit){.removed = both, .removed_count = 2}, "but found none");
        refuse(world,
               &(stoa_manifest_edit){.removed = both,
                                     .removed_count = 1,
                                     .dropped = &there->table_id,
                                     .dropped_count = 1},
               "but found none");
    }
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static stoa_status count_manifest(void *user, const char *name, const stoa_file_info *info,
                                  stoa_error *err) {
    (void)info;
    (void)err;
    *(int *)user += strncmp(name, "MANIFEST-", 9) == 0;
    return STOA_OK;
}

static void edits_add_up(void **state) {
    struct world *world = calloc(1, sizeof *world);
    stoa_error err;
    (void)state;
    world->random = support_random_open("lsm.prop_manifest");
    for (int round = 0; round < ROUNDS; round++) {
        int manifests = 0;
        support_world_open(&world->base);
        model_init(&world->model);
        reopen(world);
        append(world);
        for (int step = 0; step < STEPS; step++) {
            append(world);
            switch (support_random_below(&world->random, 8)) {
            case 0: reopen(world); break;
            case 1: append_wrongly(world); break;
            case 2:
            case 3: read_along(world); break;
            default: break;
            }
        }
        assert_ok(stoa_vfs_list(world->base.registry, "test:/db/state", NULL, count_manifest,
                                &manifests, &err),
                  err);
        assert_int_equal(manifests, 1);
        stoa_manifest_close(world->manifest);
        world->manifest = NULL;
        for (int i = 0; i < READERS; i++) {
            stoa_manifest_close(world->readers[i]);
            world->readers[i] = NULL;
        }
        support_world_close(&world->base);
    }
    free(world);
}

/* What a checkpoint of the store has: a manifest of its own that says the same. */
static void copies_say_the_same(void **state) {
    struct world *world = calloc(1, sizeof *world);
    const char *copy = "test:/db/state/copy";
    stoa_error err;
    (void)state;
    world->random = support_random_open("lsm.prop_manifest copy");
    support_world_open(&world->base);
    model_init(&world->model);
    reopen(world);
    for (int i = 0; i < 200; i++) {
        append(world);
    }
    const stoa_manifest_state *said = stoa_manifest_state_of(world->manifest);
    const stoa_context context = {.pool = world->base.pool};
    assert_ok(stoa_vfs_make_directory(world->base.registry, copy, NULL, &err), err);
    assert_ok(stoa_manifest_write_new(&context, world->base.registry, copy, said, &err), err);
    assert_fails(stoa_manifest_write_new(&context, world->base.registry, copy, said, &err),
                 STOA_EXISTS, "has a manifest already", err);
    stoa_manifest_close(world->manifest);
    stoa_manifest_options options = options_of(world, false);
    options.directory = copy;
    options.create = false;
    assert_ok(stoa_manifest_open(&options, &world->manifest, &err), err);
    check(world, world->manifest);
    append(world);
    stoa_manifest_close(world->manifest);
    support_world_close(&world->base);
    free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_add_up),
        cmocka_unit_test(copies_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
