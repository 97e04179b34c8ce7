/* Readers that follow a manifest while it is written and begun anew: they see every edit whole, and
 * only ever later ones. */
#include <pthread.h>
#include <stdatomic.h>

#include "lsm/manifest.h"
#include "support.h"

enum { READERS = 2, EDITS = 1500 };

struct world {
    support_world base;
    atomic_bool is_done;
    _Atomic uint64_t written; /* the last edit that was acknowledged */
};

static stoa_manifest_options options_of(struct world *world, bool read_only) {
    return (stoa_manifest_options){.context = {.pool = world->base.pool},
                                   .file_systems = world->base.registry,
                                   .directory = "test:/db",
                                   .create = !read_only,
                                   .read_only = read_only,
                                   .checkpoint_bytes = 1};
}

/* Edit i takes file i away and brings file i + 1: there is one file, and its number says the rest. */
static stoa_status write_edit(stoa_manifest *manifest, uint64_t i, stoa_error *err) {
    const stoa_manifest_table table = {1, "{}"};
    const stoa_manifest_removal removal = {1, i};
    const stoa_manifest_file file = {.table_id = 1, .info = {.number = i + 1}};
    const stoa_manifest_edit edit = {.tables = &table,
                                     .table_count = i == 0,
                                     .removed = &removal,
                                     .removed_count = i > 0,
                                     .added = &file,
                                     .added_count = 1,
                                     .next_file = i + 2,
                                     .flushed_sequence = i + 1};
    return stoa_manifest_append(manifest, &edit, err);
}

static bool is_whole(const stoa_manifest_state *state) {
    return state->table_count == 1 && state->file_count == 1 &&
           state->files[0].info.number == state->flushed_sequence &&
           state->next_file == state->flushed_sequence + 1;
}

/* Returns the number of states that were seen, or 0 when one of them was wrong. */
static void *follow(void *user) {
    struct world *world = user;
    const stoa_manifest_options options = options_of(world, true);
    stoa_manifest *manifest;
    uintptr_t seen = 0;
    uint64_t last = 0;
    bool is_right = stoa_manifest_open(&options, &manifest, NULL) == STOA_OK;
    for (bool is_last = false; is_right && !is_last;) {
        bool changed;
        is_last = atomic_load(&world->is_done);
        const uint64_t written = atomic_load(&world->written);
        is_right = stoa_manifest_follow(manifest, &changed, NULL) == STOA_OK;
        const stoa_manifest_state *state = stoa_manifest_state_of(manifest);
        is_right = is_right && is_whole(state) && state->flushed_sequence >= last &&
                   state->flushed_sequence >= written;
        last = state->flushed_sequence;
        seen++;
    }
    stoa_manifest_close(manifest);
    return (void *)(is_right && last == EDITS ? seen : 0);
}

static void readers_see_whole_edits(void **state) {
    struct world world = {0};
    pthread_t threads[READERS];
    stoa_manifest *manifest;
    stoa_error err;
    (void)state;
    support_world_open(&world.base);
    const stoa_manifest_options options = options_of(&world, false);
    assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
    assert_ok(write_edit(manifest, 0, &err), err);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &world), 0);
    }
    for (uint64_t i = 1; i < EDITS; i++) {
        assert_ok(write_edit(manifest, i, &err), err);
        atomic_store(&world.written, i + 1);
    }
    atomic_store(&world.is_done, true);
    for (int i = 0; i < READERS; i++) {
        void *seen;
        assert_int_equal(pthread_join(threads[i], &seen), 0);
        assert_non_null(seen);
    }
    stoa_manifest_close(manifest);
    support_world_close(&world.base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
