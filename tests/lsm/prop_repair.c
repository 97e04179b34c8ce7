/* A store of known content, damaged at random and repaired: what comes back is right, what was not told to be
 * lost is there, and nothing that was not damaged is told. */
#include <stdio.h>
#include <stdlib.h>

#include "lsm/repair.h"
#include "store_support.h"

enum { USERS = 60, OPERATIONS = 400, DAMAGES_MAX = 3, VERSIONS_MAX = 256, LOSSES_MAX = 512 };

/* What a user had, in order: a change's number and the total, -1 where it was deleted. */
struct history {
    int64_t count;
    struct {
        uint64_t change;
        int64_t total;
    } versions[VERSIONS_MAX];
};

/* What a repair said to be lost: versions of users in files, and changes of the log. */
struct losses {
    int64_t count;
    struct {
        bool is_log;
        uint64_t first;
        uint64_t last;
    } items[LOSSES_MAX];
};

struct world {
    struct store_test store;
    support_random random;
    struct history users[USERS];
    uint64_t change;
    struct losses losses;
};

static stoa_pool *pool;

/* ---- The content ----------------------------------------------------------------------------- */

static void change(struct world *world, int64_t user) {
    stoa_error err;
    struct history *history = &world->users[user];
    const bool deletes = support_random_below(&world->random, 5) == 0;
    const int64_t total = (int64_t)++world->change;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.bytes = "some text", .size = 9}};
    assert_in_range(history->count, 0, VERSIONS_MAX - 1);
    if (deletes) {
        assert_ok(stoa_state_delete(world->store.totals, row, STOA_DURABILITY_DEFAULT, &err), err);
    } else {
        assert_ok(stoa_state_put(world->store.totals, row, STOA_DURABILITY_DEFAULT, &err), err);
    }
    history->versions[history->count].change = world->change;
    history->versions[history->count++].total = deletes ? -1 : total;
}

static void make_store(struct world *world) {
    stoa_error err;
    store_test_begin(&world->store, pool);
    world->store.boot = "now";
    world->store.settings.no_background = true;
    world->store.settings.log_segment_bytes = 64 << 10;
    store_test_open(&world->store);
    for (int i = 0; i < OPERATIONS; i++) {
        const uint64_t choice = support_random_below(&world->random, 60);
        if (choice == 0) {
            assert_ok(stoa_state_flush(world->store.totals, &err), err);
        } else if (choice == 1) {
            assert_ok(stoa_state_compact(world->store.totals, NULL, 0, NULL, 0, NULL, &err), err);
        } else {
            change(world, (int64_t)support_random_below(&world->random, USERS));
        }
    }
    store_test_close(&world->store);
}

/* ---- The damage ------------------------------------------------------------------------------ */

struct names {
    bool with_manifests;
    int64_t count;
    char names[64][64];
};

static stoa_status add_name(void *user, const char *name, const stoa_file_info *info,
                            stoa_error *err) {
    struct names *names = user;
    (void)err;
    /* The last edit of a manifest, and nothing less, is damaged without a trace. */
    if (!info->is_directory && strcmp(name, "LOCK") != 0 && names->count < 64 &&
        (names->with_manifests || strncmp(name, "MANIFEST", 8) != 0)) {
        (void)snprintf(names->names[names->count++], sizeof names->names[0], "%s", name);
    }
    return STOA_OK;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(left, right);
}

/* A log whose last record is not there looks like one that never had it: only bits of it are changed. */
static void damage_bytes(struct world *world, bool is_log, stoa_buffer *bytes) {
    support_random *random = &world->random;
    const uint64_t kind = is_log ? 3 : support_random_below(random, 4);
    /* Most of a segment of the log is empty. */
    const uint64_t size = bytes->size > 32768 && support_random_bool(random) ? 8192 : bytes->size;
    const size_t at = (size_t)support_random_below(random, size);
    if (kind == 0) {
        bytes->size = at;
    } else if (kind == 1) {
        const size_t left = bytes->size - at;
        memset(bytes->data + at, 0, left < 512 ? left : 512);
    } else {
        for (uint64_t i = support_random_below(random, 4) + 1; i > 0; i--) {
            const size_t place = (at + (size_t)support_random_below(random, 64)) % bytes->size;
            bytes->data[place] ^= (uint8_t)(1u << support_random_below(random, 8));
        }
    }
}

static void damage_file(struct world *world, const char *name) {
    stoa_error err;
    stoa_buffer bytes;
    char *uri = NULL;
    stoa_fs_registry *file_systems = world->store.file_systems;
    assert_ok(stoa_vfs_join(pool, world->store.directory, name, &uri, &err), err);
    assert_ok(stoa_vfs_read_all(file_systems, uri, NULL, 1 << 30, pool, &bytes, &err), err);
    const bool is_log = strstr(name, ".log") != NULL;
    if (!is_log && (bytes.size == 0 || support_random_below(&world->random, 8) == 0)) {
        assert_ok(stoa_vfs_remove(file_systems, uri, NULL, &err), err);
    } else {
        damage_bytes(world, is_log, &bytes);
        assert_ok(stoa_vfs_replace(file_systems, uri, NULL, bytes.size > 0 ? bytes.data : NULL,
                                   bytes.size, &err),
                  err);
    }
    stoa_buffer_release(&bytes);
    stoa_pool_free_string(pool, uri);
}

static void damage(struct world *world, bool with_manifests) {
    stoa_error err;
    for (uint64_t i = support_random_below(&world->random, DAMAGES_MAX) + 1; i > 0; i--) {
        struct names names = {.with_manifests = with_manifests};
        assert_ok(stoa_vfs_list(world->store.file_systems, world->store.directory, NULL, add_name,
                                &names, &err),
                  err);
        if (names.count > 0) {
            qsort(names.names, (size_t)names.count, sizeof names.names[0], compare_names);
            damage_file(world,
                        names.names[support_random_below(&world->random, (uint64_t)names.count)]);
        }
    }
}

/* ---- The repair ------------------------------------------------------------------------------ */

static void note_loss(void *user, int64_t table_id, const stoa_error *told) {
    struct losses *losses = user;
    unsigned long long first, last;
    const char *keys = strstr(told->message, "with keys from (");
    (void)table_id;
    assert_in_range(losses->count, 0, LOSSES_MAX - 1);
    if (keys != NULL && sscanf(keys, "with keys from (%llu) to (%llu)", &first, &last) == 2) {
        losses->items[losses->count].is_log = false;
    } else if (sscanf(told->message, "changes %llu to %llu are lost", &first, &last) == 2) {
        losses->items[losses->count].is_log = true;
    } else if (sscanf(told->message, "changes after %llu are lost", &first) == 1) {
        losses->items[losses->count].is_log = true;
        first++;
        last = UINT64_MAX;
    } else {
        return;
    }
    losses->items[losses->count].first = first;
    losses->items[losses->count++].last = last;
}

static bool is_told(const struct losses *losses, bool is_log, uint64_t number) {
    for (int64_t i = 0; i < losses->count; i++) {
        if (losses->items[i].is_log == is_log && losses->items[i].first <= number &&
            number <= losses->items[i].last) {
            return true;
        }
    }
    return false;
}

static stoa_status try_repair(struct world *world, int64_t *out_damages, stoa_error *err) {
    stoa_state_repair_result result;
    const stoa_store_repair_options options = {
        .context = {.pool = pool, .sched = world->store.sched},
        .file_systems = world->store.file_systems,
        .directory = world->store.directory,
        .boot = world->store.boot,
        .function = note_loss,
        .user = &world->losses,
    };
    const stoa_status status = stoa_store_repair(&options, &result, err);
    *out_damages = result.damage_count;
    return status;
}

static int64_t repair(struct world *world) {
    stoa_error err;
    int64_t damages;
    assert_ok(try_repair(world, &damages, &err), err);
    return damages;
}

/* What a user may have now. Of versions in damaged files nothing is known; else it is the newest one that the
 * log did not lose. */
static void check_user(const struct world *world, int64_t user, int64_t total) {
    const struct history *history = &world->users[user];
    const bool in_files = is_told(&world->losses, false, (uint64_t)user);
    bool is_right = false, is_newest = false;
    int64_t i = history->count;
    while (i > 0 && is_told(&world->losses, true, history->versions[i - 1].change)) {
        i--;
    }
    is_newest = total == (i > 0 ? history->versions[i - 1].total : -1);
    for (i = 0; i < history->count; i++) {
        is_right = is_right || total == history->versions[i].total;
    }
    assert_true(is_newest || (in_files && (is_right || total == -1)));
}

static void check_users(struct world *world) {
    stoa_error err;
    stoa_row *row = NULL;
    store_test_open(&world->store);
    assert_ok(stoa_row_create(world->store.totals, "total", &row, &err), err);
    for (int64_t user = 0; user < USERS; user++) {
        bool found = false;
        assert_ok(stoa_state_get(world->store.totals, &(stoa_cell){.i = user}, NULL, row, &found,
                                 &err),
                  err);
        check_user(world, user, found ? stoa_row_cells(row)->i : -1);
    }
    stoa_row_close(row);
}

static void test_what_is_not_told_to_be_lost_is_there(void **state) {
    support_random random = support_random_open("repair");
    (void)state;
    for (int run = 0; run < 100; run++) {
        stoa_error err;
        struct world *world = calloc(1, sizeof *world);
        assert_non_null(world);
        world->random = random;
        make_store(world);
        damage(world, false);
        const bool opens = store_test_open_as(&world->store, true, &err) == STOA_OK;
        store_test_close(&world->store);
        const int64_t damages = repair(world);
        assert_true(opens || damages > 0);
        assert_int_equal(repair(world), 0);
        check_users(world);
        assert_ok(stoa_state_compact(world->store.totals, NULL, 0, NULL, 0, NULL, &err), err);
        store_test_close(&world->store);
        check_users(world);
        random = world->random;
        store_test_end(&world->store);
        free(world);
    }
}

/* Where manifests are damaged too there may be nothing to go by. */
static void test_any_damage_has_an_answer(void **state) {
    support_random random = support_random_open("repair of anything");
    (void)state;
    for (int run = 0; run < 100; run++) {
        stoa_error err;
        int64_t damages;
        struct world *world = calloc(1, sizeof *world);
        assert_non_null(world);
        world->random = random;
        make_store(world);
        for (int i = 0; i < 3; i++) {
            damage(world, true);
        }
        const stoa_status status = try_repair(world, &damages, &err);
        if (status == STOA_OK) {
            assert_int_equal(repair(world), 0);
            assert_ok(store_test_open_as(&world->store, false, &err), err);
        } else {
            assert_true(status == STOA_CORRUPT || status == STOA_NOT_FOUND);
        }
        random = world->random;
        store_test_end(&world->store);
        free(world);
    }
}

static int setup(void **state) {
    (void)state;
    pool = support_pool_open();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_not_told_to_be_lost_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_damage_has_an_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
