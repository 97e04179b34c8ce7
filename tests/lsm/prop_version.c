/* Versions against a plain list of files: random edits, edits that do not follow, and what becomes of
 * files that no version has any more. */
#include <stdio.h>

#include "base/bytes.h"
#include "lsm/version.h"
#include "support.h"

enum { ROUNDS = 30, STEPS = 60, FILES_MAX = 400, KEPT = 4, KEY_BYTES = 10 };

/* What is known of every file that was ever made, by number. */
struct model {
    stoa_table_file *files[FILES_MAX]; /* a reference each; NULL: not made yet */
    bool is_there[FILES_MAX];
    uint64_t made;
};

struct world {
    support_world base;
    support_random random;
    struct model model;
    stoa_version *version;
    stoa_version *kept[KEPT]; /* older ones, with what they had */
    uint64_t kept_sums[KEPT];
};

static const char *uri_of(uint64_t number) {
    static char uri[64];
    snprintf(uri, sizeof uri, "test:/%016" PRIx64 ".sst", number);
    return uri;
}

static bool is_on_disk(struct world *world, uint64_t number) {
    stoa_error err;
    bool there = false;
    assert_ok(stoa_vfs_exists(world->base.registry, uri_of(number), NULL, &there, &err), err);
    return there;
}

static void put_text(stoa_pool *pool, stoa_buffer *out, uint64_t key) {
    stoa_error err;
    char text[KEY_BYTES + 16];
    /* Some keys differ only behind their first 8 bytes. */
    const int size = snprintf(text, sizeof text, "%07" PRIu64 "%03" PRIu64, key / 1000, key % 1000);
    stoa_buffer_init(out, pool);
    assert_ok(stoa_buffer_append(out, text, (size_t)size, &err), err);
}

static stoa_table_file *make_file(struct world *world, int32_t level, uint64_t first,
                                  uint64_t last) {
    struct model *model = &world->model;
    stoa_error err;
    stoa_table_file *file;
    stoa_table_file_info info = {.number = model->made,
                                 .level = level,
                                 .bytes = 1000 + model->made,
                                 .sequence_max = support_random_below(&world->random, 50)};
    put_text(world->base.pool, &info.first_key, first);
    put_text(world->base.pool, &info.last_key, last);
    assert_ok(stoa_vfs_replace(world->base.registry, uri_of(info.number), NULL, "sst", 3, &err),
              err);
    assert_ok(stoa_table_file_create(world->base.pool, world->base.registry, uri_of(info.number),
                                     &info, NULL, &file, &err),
              err);
    assert_null(info.first_key.data);
    model->files[model->made++] = file;
    return file;
}

static uint64_t number_of_key(const stoa_buffer *key) {
    uint64_t number = 0;
    for (size_t i = 0; i < key->size; i++) {
        number = number * 10 + (uint64_t)(key->data[i] - '0');
    }
    return number;
}

static bool overlaps(const struct model *model, int32_t level, uint64_t first, uint64_t last) {
    for (uint64_t i = 0; i < model->made; i++) {
        const stoa_table_file_info *info = &model->files[i]->info;
        if (model->is_there[i] && info->level == level && level > 0 &&
            first <= number_of_key(&info->last_key) && last >= number_of_key(&info->first_key)) {
            return true;
        }
    }
    return false;
}

/* -- what a version says ---------------------------------------------------------------------- */

static uint64_t sum_of(const stoa_version *version) {
    uint64_t sum = 0;
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < version->levels[level].count; i++) {
            sum = sum * 31 + version->levels[level].files[i]->info.number;
        }
    }
    return sum;
}

static void check_order(const stoa_table_file *before, const stoa_table_file *file) {
    if (file->info.level == 0) {
        assert_true(before->info.sequence_max >= file->info.sequence_max);
    } else {
        assert_true(number_of_key(&before->info.last_key) < number_of_key(&file->info.first_key));
    }
}

static void check_find(struct world *world, const stoa_level *level) {
    stoa_buffer key;
    const uint64_t number = support_random_below(&world->random, 4000);
    int64_t expected = 0;
    put_text(world->base.pool, &key, number);
    while (expected < level->count &&
           number_of_key(&level->files[expected]->info.last_key) < number) {
        expected++;
    }
    assert_int_equal(stoa_level_find(level, key.data, key.size), expected);
    stoa_buffer_release(&key);
}

static void check_version(struct world *world) {
    int64_t found = 0;
    int64_t expected = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        const stoa_level *level = &world->version->levels[i];
        uint64_t bytes = 0;
        for (int64_t k = 0; k < level->count; k++) {
            const stoa_table_file *file = level->files[k];
            assert_int_equal(file->info.level, i);
            assert_true(world->model.is_there[file->info.number]);
            bytes += file->info.bytes;
            if (k > 0) {
                check_order(level->files[k - 1], file);
            }
        }
        assert_int_equal(level->bytes, bytes);
        found += level->count;
        if (i > 0) {
            check_find(world, level);
        }
    }
    for (uint64_t i = 0; i < world->model.made; i++) {
        expected += world->model.is_there[i];
        assert_true(is_on_disk(world, i));
    }
    assert_int_equal(found, expected);
    for (int i = 0; i < KEPT; i++) {
        if (world->kept[i] != NULL) {
            assert_int_equal(sum_of(world->kept[i]), world->kept_sums[i]);
        }
    }
}

/* -- edits ------------------------------------------------------------------------------------ */

struct change {
    uint64_t removed[FILES_MAX];
    int64_t removed_count;
    stoa_table_file *added[FILES_MAX];
    int64_t added_count;
};

static void random_change(struct world *world, struct change *change) {
    struct model *model = &world->model;
    *change = (struct change){0};
    for (uint64_t i = 0; i < model->made; i++) {
        if (model->is_there[i] && support_random_below(&world->random, 8) == 0) {
            change->removed[change->removed_count++] = i;
            model->is_there[i] = false;
        }
    }
    if (change->removed_count > 0 && model->files[change->removed[0]]->info.level == 0) {
        /* A file of level 0 that stays, moved in the list of changes only. */
        change->added[change->added_count++] = model->files[change->removed[0]];
        model->is_there[change->removed[0]] = true;
    }
    for (uint64_t i = support_random_below(&world->random, 6); i > 0; i--) {
        const int32_t level = (int32_t)support_random_below(&world->random, STOA_LEVELS);
        const uint64_t first = support_random_below(&world->random, 4000);
        const uint64_t last = first + support_random_below(&world->random, 80);
        if (model->made < FILES_MAX && !overlaps(model, level, first, last)) {
            model->is_there[model->made] = true;
            change->added[change->added_count++] = make_file(world, level, first, last);
        }
    }
}

static void take(struct world *world, stoa_version *next) {
    const uint64_t place = support_random_below(&world->random, KEPT);
    if (support_random_bool(&world->random)) {
        stoa_version_release(world->kept[place]);
        world->kept[place] = stoa_version_retain(world->version);
        world->kept_sums[place] = sum_of(world->version);
    }
    stoa_version_release(world->version);
    world->version = next;
}

static void check_refused(struct world *world) {
    const stoa_version *version = world->version;
    stoa_version *next;
    stoa_error err;
    const uint64_t missing = 1 << 20;
    assert_fails(stoa_version_apply(version, &missing, 1, NULL, 0, &next, &err), STOA_CORRUPT,
                 "expected file 0000000000100000 but found none", err);
    assert_null(next);
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        if (version->levels[i].count > 0) {
            stoa_table_file *file = version->levels[i].files[0];
            stoa_table_file *const twice[] = {file, file};
            const uint64_t gone[] = {file->info.number, file->info.number};
            assert_fails(stoa_version_apply(version, NULL, 0, &file, 1, &next, &err), STOA_CORRUPT,
                         "is there already", err);
            assert_fails(stoa_version_apply(version, gone, 1, twice, 2, &next, &err), STOA_CORRUPT,
                         "is there already", err);
            assert_fails(stoa_version_apply(version, gone, 2, NULL, 0, &next, &err), STOA_CORRUPT,
                         "found none", err);
        }
    }
}

static void open_world(struct world *world, support_random random) {
    stoa_error err;
    *world = (struct world){.random = random};
    support_world_open(&world->base);
    assert_ok(stoa_version_create(world->base.pool, &world->version, &err), err);
}

static void close_world(struct world *world) {
    stoa_version_release(world->version);
    for (int i = 0; i < KEPT; i++) {
        stoa_version_release(world->kept[i]);
    }
    for (uint64_t i = 0; i < world->model.made; i++) {
        stoa_table_file *file = world->model.files[i];
        assert_int_equal(atomic_load(&file->references), 1);
        const bool is_obsolete = support_random_bool(&world->random);
        atomic_store(&file->is_obsolete, is_obsolete);
        stoa_table_file_release(file);
        assert_true(is_on_disk(world, i) == !is_obsolete);
    }
    support_world_close(&world->base);
}

static void versions_are_what_edits_say(void **state) {
    support_random random = support_random_open("lsm.prop_version");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct world world;
        open_world(&world, random);
        for (int step = 0; step < STEPS; step++) {
            struct change change;
            stoa_version *next;
            stoa_error err;
            random_change(&world, &change);
            assert_ok(stoa_version_apply(world.version, change.removed, change.removed_count,
                                         change.added, change.added_count, &next, &err),
                      err);
            take(&world, next);
            check_version(&world);
            check_refused(&world);
        }
        random = world.random;
        close_world(&world);
    }
}

static void files_of_a_level_do_not_overlap(void **state) {
    struct world world;
    stoa_version *next;
    stoa_error err;
    (void)state;
    open_world(&world, (support_random){1});
    stoa_table_file *const first = make_file(&world, 1, 100, 200);
    assert_ok(stoa_version_apply(world.version, NULL, 0, &first, 1, &next, &err), err);
    stoa_version_release(world.version);
    world.version = next;
    static const uint64_t bounds[][2] = {{50, 100}, {200, 300}, {150, 160}, {0, 900}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        stoa_table_file *const file = make_file(&world, 1, bounds[i][0], bounds[i][1]);
        assert_fails(stoa_version_apply(world.version, NULL, 0, &file, 1, &next, &err),
                     STOA_CORRUPT, "of level 1 overlap", err);
    }
    stoa_table_file *const turned = make_file(&world, 0, 30, 20);
    assert_fails(stoa_version_apply(world.version, NULL, 0, &turned, 1, &next, &err), STOA_CORRUPT,
                 "its first key is above its last one", err);
    stoa_table_file *const deep = make_file(&world, STOA_LEVELS, 20, 30);
    assert_fails(stoa_version_apply(world.version, NULL, 0, &deep, 1, &next, &err), STOA_CORRUPT,
                 "expected a level from 0 to 6 but found 7", err);
    close_world(&world);
}

/* -- failures --------------------------------------------------------------------------------- */

static stoa_status edit_once(support_world *world, void *user, stoa_error *err) {
    stoa_table_file_info info = {.number = 1, .level = 1};
    stoa_table_file *file = NULL;
    stoa_version *empty = NULL;
    stoa_version *next = NULL;
    stoa_status status = STOA_OK;
    (void)user;
    stoa_buffer_init(&info.first_key, world->pool);
    stoa_buffer_init(&info.last_key, world->pool);
    STOA_CHECK(stoa_buffer_append_text(&info.first_key, "a", err));
    STOA_CHECK(stoa_buffer_append_text(&info.last_key, "b", err));
    STOA_CHECK(stoa_table_file_create(world->pool, world->registry, "test:/1.sst", &info, NULL,
                                      &file, err));
    STOA_CHECK(stoa_version_create(world->pool, &empty, err));
    STOA_CHECK(stoa_version_apply(empty, NULL, 0, &file, 1, &next, err));

done:
    stoa_table_file_info_release(&info);
    stoa_table_file_release(file);
    stoa_version_release(empty);
    stoa_version_release(next);
    return status;
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, edit_once, NULL, NULL) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_what_edits_say),
        cmocka_unit_test(files_of_a_level_do_not_overlap),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
