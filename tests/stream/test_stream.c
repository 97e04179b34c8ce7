/* States of streams: what is written is seen at once, is there together after a commit, and not at all
 * without one. */
#include <time.h>

#include "lsm/cell.h"
#include "world.h"

static const stoa_stream_descriptor SPENT = {.name = "spent",
                                             .kind = STOA_STREAM_AGGREGATE,
                                             .key = "user long not null",
                                             .value = "total double, orders long",
                                             .merge = "total add, orders add"};
static const stoa_stream_descriptor NAMES = {.name = "names",
                                             .kind = STOA_STREAM_VALUE,
                                             .key = "user long not null",
                                             .value = "name string"};
static const stoa_stream_descriptor VISITS = {.name = "visits",
                                              .kind = STOA_STREAM_LIST,
                                              .key = "user long not null",
                                              .value = "page string"};
static const stoa_stream_descriptor WORDS = {.name = "words",
                                             .kind = STOA_STREAM_MAP,
                                             .key = "user long not null",
                                             .map_key = "word string not null, day int not null",
                                             .value = "count long"};
static const stoa_stream_descriptor ALARMS = {.name = "alarms",
                                              .kind = STOA_STREAM_TIMERS,
                                              .key = "user long not null",
                                              .value = "note string"};

static stoa_cell text(const char *bytes) {
    return (stoa_cell){.bytes = bytes, .size = strlen(bytes)};
}

static void add_spent(stoa_stream_state *spent, int64_t user, double total) {
    const stoa_cell key = {.i = user};
    const stoa_cell operands[] = {{.f = total}, {.i = 1}};
    stoa_error err;
    ok(stoa_stream_state_add(spent, &(stoa_stream_scope){.key = &key}, operands, &err));
}

/* -1: nothing there. */
static double get_spent(stoa_stream_state *spent, int64_t user) {
    const stoa_cell key = {.i = user};
    stoa_row *row;
    bool found;
    stoa_error err;
    ok(stoa_stream_state_row_create(spent, &row, &err));
    ok(stoa_stream_state_get(spent, &(stoa_stream_scope){.key = &key}, row, &found, &err));
    const double total = found ? stoa_row_cells(row)[0].f : -1;
    assert_true(!found || stoa_row_cells(row)[1].i > 0);
    stoa_row_close(row);
    return total;
}

static void test_totals_and_the_position_are_committed_together(void **state) {
    struct world *world = *state;
    int64_t position;
    bool found;
    stoa_error err;
    stoa_stream_state *spent = world_state(world, &SPENT);
    ok(stoa_stream_backend_position_get(world->backend, "orders", &position, &found, &err));
    assert_false(found);
    add_spent(spent, 1, 2.5);
    add_spent(spent, 1, 1.0);
    add_spent(spent, 2, 7.0);
    ok(stoa_stream_backend_position_set(world->backend, "orders", 3, &err));
    assert_true(get_spent(spent, 1) == 3.5);
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_BUFFERED, &err));
    add_spent(spent, 1, 100);
    ok(stoa_stream_backend_position_set(world->backend, "orders", 4, &err));
    world_reopen(world); /* without a commit */
    spent = world_state(world, &SPENT);
    ok(stoa_stream_backend_position_get(world->backend, "orders", &position, &found, &err));
    assert_true(found && position == 3);
    assert_true(get_spent(spent, 1) == 3.5 && get_spent(spent, 2) == 7.0);
    assert_true(get_spent(spent, 3) == -1);
}

static void test_a_rollback_forgets_all_states(void **state) {
    struct world *world = *state;
    const stoa_cell key = {.i = 1}, page = text("home");
    const stoa_stream_scope scope = {.key = &key};
    stoa_error err;
    stoa_stream_state *spent = world_state(world, &SPENT), *visits = world_state(world, &VISITS);
    add_spent(spent, 1, 1);
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    add_spent(spent, 1, 1);
    ok(stoa_stream_state_add(visits, &scope, &page, &err));
    ok(stoa_stream_backend_rollback(world->backend, &err));
    assert_true(get_spent(spent, 1) == 1);
    struct ArrowArrayStream rows;
    struct ArrowArray batch;
    ok(stoa_stream_state_scan(visits, &scope, NULL, &rows, &err));
    ok(stoa_stream_next(&rows, &batch, &err));
    assert_null(batch.release);
    stoa_arrow_stream_release(&rows);
}

static void test_values_belong_to_a_key_and_a_namespace(void **state) {
    struct world *world = *state;
    const stoa_cell key = {.i = 7}, ann = text("Ann"), bob = text("Bob");
    const stoa_stream_scope plain = {.key = &key};
    const stoa_stream_scope window = {&key, "\0w", 2};
    stoa_stream_state *names = world_state(world, &NAMES);
    stoa_row *row;
    bool found;
    stoa_error err;
    ok(stoa_stream_state_row_create(names, &row, &err));
    ok(stoa_stream_state_set(names, &plain, &ann, &err));
    ok(stoa_stream_state_set(names, &window, &bob, &err));
    ok(stoa_stream_state_get(names, &window, row, &found, &err));
    assert_true(found);
    assert_memory_equal(stoa_row_cells(row)[0].bytes, "Bob", 3);
    ok(stoa_stream_state_clear(names, &window, &err));
    ok(stoa_stream_state_get(names, &window, row, &found, &err));
    assert_false(found);
    ok(stoa_stream_state_get(names, &plain, row, &found, &err));
    assert_true(found);
    assert_memory_equal(stoa_row_cells(row)[0].bytes, "Ann", 3);
    stoa_row_close(row);
}

/* What a scan gives, as text: "home 1|shop 2|". */
static void scan_text(stoa_stream_state *states, const stoa_stream_scope *scope,
                      const stoa_stream_range *range, char *out, size_t capacity) {
    struct ArrowArrayStream rows;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    const stoa_schema *columns;
    size_t size = 0;
    stoa_pool *pool = support_pool_open();
    stoa_error err;
    out[0] = '\0';
    ok(stoa_stream_state_scan(states, scope, range, &rows, &err));
    ok(stoa_stream_schema(&rows, &schema, &err));
    ok(stoa_schema_from_arrow(pool, &schema, &columns, &err));
    for (;;) {
        ok(stoa_stream_next(&rows, &batch, &err));
        if (batch.release == NULL) {
            break;
        }
        for (int64_t row = 0; row < batch.length; row++) {
            for (int32_t i = 0; i < columns->root.child_count; i++) {
                stoa_cell cell;
                stoa_cell_from_array(&columns->root.children[i].type, batch.children[i], row,
                                     &cell);
                size += cell.bytes != NULL
                            ? (size_t)snprintf(out + size, capacity - size, "%.*s ", (int)cell.size,
                                               (const char *)cell.bytes)
                            : (size_t)snprintf(out + size, capacity - size, "%lld ",
                                               (long long)cell.i);
            }
            size += (size_t)snprintf(out + size, capacity - size, "|");
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_schema_close(columns);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&rows);
    support_pool_close(pool);
}

static void test_lists_keep_the_order_of_adding_over_reopening(void **state) {
    struct world *world = *state;
    const stoa_cell one = {.i = 1}, two = {.i = 2};
    const stoa_cell pages[] = {text("home"), text("shop"), text("cart"), text("home")};
    const stoa_stream_scope scope = {.key = &one}, other = {.key = &two};
    stoa_stream_state *visits = world_state(world, &VISITS);
    char found[256];
    stoa_error err;
    for (int i = 0; i < 3; i++) {
        ok(stoa_stream_state_add(visits, &scope, &pages[i], &err));
        ok(stoa_stream_state_add(visits, &other, &pages[i], &err));
    }
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    world_reopen(world);
    visits = world_state(world, &VISITS);
    ok(stoa_stream_state_add(visits, &scope, &pages[3], &err));
    scan_text(visits, &scope, NULL, found, sizeof found);
    assert_string_equal(found, "0 home |2 shop |4 cart |6 home |");
    ok(stoa_stream_state_clear(visits, &scope, &err));
    scan_text(visits, &scope, NULL, found, sizeof found);
    assert_string_equal(found, "");
    scan_text(visits, &other, NULL, found, sizeof found);
    assert_string_equal(found, "1 home |3 shop |5 cart |");
}

static void put_word(stoa_stream_state *words, const stoa_stream_scope *scope, const char *word,
                     int64_t day, int64_t count) {
    const stoa_cell key[] = {text(word), {.i = day}};
    const stoa_cell value = {.i = count};
    stoa_error err;
    ok(stoa_stream_map_put(words, scope, key, &value, &err));
}

static void test_maps_are_ordered_and_have_ranges(void **state) {
    struct world *world = *state;
    const stoa_cell one = {.i = 1}, two = {.i = 2};
    const stoa_stream_scope scope = {.key = &one}, other = {.key = &two};
    const stoa_cell b = text("b"), c = text("c"), remove[] = {text("b"), {.i = 2}};
    stoa_stream_state *words = world_state(world, &WORDS);
    stoa_row *row;
    bool exists;
    char found[256];
    stoa_error err;
    put_word(words, &scope, "b", 2, 22);
    put_word(words, &scope, "c", 1, 31);
    put_word(words, &scope, "b", -1, 20);
    put_word(words, &scope, "ba", 1, 25);
    put_word(words, &scope, "a", 1, 11);
    put_word(words, &other, "b", 1, 99);
    scan_text(words, &scope, NULL, found, sizeof found);
    assert_string_equal(found, "a 1 11 |b -1 20 |b 2 22 |ba 1 25 |c 1 31 |");
    scan_text(words, &scope,
              &(stoa_stream_range){.from = &b, .from_count = 1, .to = &c, .to_count = 1}, found,
              sizeof found);
    assert_string_equal(found, "b -1 20 |b 2 22 |ba 1 25 |");
    scan_text(words, &scope,
              &(stoa_stream_range){.from = &b,
                                   .from_count = 1,
                                   .to = &b,
                                   .to_count = 1,
                                   .to_included = true,
                                   .reverse = true,
                                   .limit = 1},
              found, sizeof found);
    assert_string_equal(found, "b 2 22 |");
    ok(stoa_stream_map_remove(words, &scope, remove, &err));
    ok(stoa_stream_state_row_create(words, &row, &err));
    ok(stoa_stream_map_get(words, &scope, remove, row, &exists, &err));
    assert_false(exists);
    ok(stoa_stream_map_get(words, &other, (stoa_cell[]){b, {.i = 1}}, row, &exists, &err));
    assert_true(exists && stoa_row_cells(row)[0].i == 99);
    stoa_row_close(row);
    ok(stoa_stream_state_clear(words, &scope, &err));
    scan_text(words, &scope, NULL, found, sizeof found);
    assert_string_equal(found, "");
}

static void test_rows_are_gone_when_their_time_has_come(void **state) {
    struct world *world = *state;
    const stoa_cell key = {.i = 1}, ann = text("Ann");
    const stoa_stream_scope scope = {.key = &key};
    stoa_stream_descriptor brief = NAMES, long_lived = SPENT;
    stoa_row *row;
    bool found;
    stoa_error err;
    brief.ttl_ms = 1;
    long_lived.ttl_ms = INT64_C(3600) * 1000;
    stoa_stream_state *names = world_state(world, &brief);
    stoa_stream_state *spent = world_state(world, &long_lived);
    ok(stoa_stream_state_set(names, &scope, &ann, &err));
    add_spent(spent, 1, 1);
    add_spent(spent, 1, 1);
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&pause, NULL);
    ok(stoa_stream_state_row_create(names, &row, &err));
    ok(stoa_stream_state_get(names, &scope, row, &found, &err));
    assert_false(found);
    stoa_row_close(row);
    assert_true(get_spent(spent, 1) == 2);
}

/* ---- Timers ------------------------------------------------------------------------------------- */

/* What fired: "5:1:note ", and a timer to set in a call. */
struct fired {
    stoa_stream_state *timers;
    char text[512];
    size_t size;
    int64_t set_at, set_for;    /* once */
    int64_t delete_at, deleted; /* of user 2 */
};

static stoa_status note(void *user, int64_t time, const stoa_stream_scope *scope,
                        const stoa_cell *values, stoa_error *err) {
    struct fired *fired = user;
    const stoa_cell two = {.i = 2};
    fired->size += (size_t)snprintf(fired->text + fired->size, sizeof fired->text - fired->size,
                                    "%lld:%lld:%.*s ", (long long)time, (long long)scope->key[0].i,
                                    (int)values[0].size, (const char *)values[0].bytes);
    if (time == fired->delete_at) {
        STOA_TRY(stoa_stream_timer_delete(fired->timers, &(stoa_stream_scope){.key = &two},
                                          fired->deleted, err));
    }
    if (time == fired->set_at) {
        const stoa_cell again = text("again");
        fired->set_at = -1;
        return stoa_stream_timer_set(fired->timers, scope, fired->set_for, &again, err);
    }
    return STOA_OK;
}

static void set_timer(stoa_stream_state *timers, int64_t user, int64_t time) {
    const stoa_cell key = {.i = user}, value = text("x");
    stoa_error err;
    ok(stoa_stream_timer_set(timers, &(stoa_stream_scope){.key = &key}, time, &value, &err));
}

static void test_timers_fire_in_order_of_time_and_once(void **state) {
    struct world *world = *state;
    struct fired fired = {.timers = world_state(world, &ALARMS), .set_at = -1, .delete_at = -1};
    stoa_error err;
    for (int64_t user = 1; user <= 9; user++) {
        set_timer(fired.timers, user, 100 - user);
    }
    set_timer(fired.timers, 3, -5);
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    world_reopen(world);
    fired.timers = world_state(world, &ALARMS);
    ok(stoa_stream_timers_fire(fired.timers, 93, note, &fired, &err));
    assert_string_equal(fired.text, "-5:3:x 91:9:x 92:8:x 93:7:x ");
    ok(stoa_stream_timers_fire(fired.timers, 93, note, &fired, &err));
    assert_string_equal(fired.text, "-5:3:x 91:9:x 92:8:x 93:7:x ");
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    fired.size = 0;
    ok(stoa_stream_timers_fire(fired.timers, 1000, note, &fired, &err));
    assert_string_equal(fired.text, "94:6:x 95:5:x 96:4:x 97:3:x 98:2:x 99:1:x ");
    ok(stoa_stream_backend_rollback(world->backend, &err));
    fired.size = 0;
    ok(stoa_stream_timers_fire(fired.timers, 95, note, &fired, &err));
    assert_string_equal(fired.text, "94:6:x 95:5:x ");
}

static void test_calls_of_timers_may_set_and_delete_timers(void **state) {
    struct world *world = *state;
    struct fired fired = {.timers = world_state(world, &ALARMS),
                          .set_at = 10,
                          .set_for = 15,
                          .delete_at = 20,
                          .deleted = 40};
    stoa_error err;
    set_timer(fired.timers, 1, 10);
    set_timer(fired.timers, 1, 20);
    set_timer(fired.timers, 2, 30);
    set_timer(fired.timers, 2, 40);
    set_timer(fired.timers, 2, 50);
    ok(stoa_stream_timers_fire(fired.timers, 50, note, &fired, &err));
    assert_string_equal(fired.text, "10:1:x 15:1:again 20:1:x 30:2:x 50:2:x ");
}

/* ---- Groups ------------------------------------------------------------------------------------- */

static void test_a_checkpoint_names_its_barrier(void **state) {
    struct world *world = *state;
    int64_t barrier;
    bool found;
    stoa_error err;
    stoa_stream_state *spent = world_state(world, &SPENT);
    add_spent(spent, 1, 4);
    ok(stoa_stream_backend_checkpoint(world->backend, 17, &err));
    world_reopen(world);
    ok(stoa_stream_backend_checkpoint_get(world->backend, &barrier, &found, &err));
    assert_true(found && barrier == 17);
    assert_true(get_spent(world_state(world, &SPENT), 1) == 4);
}

static void test_what_does_not_fit_is_refused(void **state) {
    struct world *world = *state;
    const stoa_cell key = {.i = 1};
    const stoa_stream_scope scope = {.key = &key};
    stoa_stream_descriptor other = SPENT;
    stoa_stream_state *made, *spent = world_state(world, &SPENT);
    stoa_stream_backend *backend;
    struct ArrowArrayStream rows;
    stoa_error err;
    other.value = "total double";
    other.merge = "total add";
    assert_fails(stoa_stream_state_open(world->backend, &other, &made, &err), STOA_INVALID,
                 "state 'spent': it was made with other columns", err);
    other = VISITS;
    other.map_key = "a int not null";
    assert_fails(stoa_stream_state_open(world->backend, &other, &made, &err), STOA_INVALID,
                 "only a map has a map key", err);
    assert_fails(stoa_stream_state_scan(spent, &scope, NULL, &rows, &err), STOA_INVALID,
                 "state 'spent': expected a list or a map", err);
    assert_fails(stoa_stream_timers_fire(spent, 1, note, NULL, &err), STOA_INVALID,
                 "expected timers", err);
    assert_fails(stoa_stream_backend_open(world->database,
                                          &(stoa_stream_backend_options){.name = "job",
                                                                         .group_count = 9},
                                          &backend, &err),
                 STOA_INVALID, "backend 'job': expected its 8 key groups but found 9", err);
    assert_fails(stoa_stream_backend_open(world->database,
                                          &(stoa_stream_backend_options){.name = "job",
                                                                         .group_count = 8,
                                                                         .first_group = 5,
                                                                         .end_group = 9},
                                          &backend, &err),
                 STOA_INVALID, "expected key groups below 8 but found 5 to 9", err);
}

/* One job over all groups becomes two over half of them each, in databases of their own. */
static void test_keys_are_spread_anew_by_their_groups(void **state) {
    enum { USERS = 60 };
    struct world *world = *state;
    struct world halves[2];
    stoa_stream_state *spent = world_state(world, &SPENT), *visits = world_state(world, &VISITS);
    double sum = 0;
    stoa_error err;
    for (int64_t user = 0; user < USERS; user++) {
        const stoa_cell key = {.i = user}, page = text("home");
        add_spent(spent, user, (double)user);
        ok(stoa_stream_state_add(visits, &(stoa_stream_scope){.key = &key}, &page, &err));
    }
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    for (int half = 0; half < 2; half++) {
        halves[half] = (struct world){.pool = world->pool};
        support_temp_directory(halves[half].directory);
        world_open(&halves[half], &(stoa_stream_backend_options){.name = "half",
                                                                 .group_count = 8,
                                                                 .first_group = 4 * half,
                                                                 .end_group = 4 * half + 4});
        spent = world_state(&halves[half], &SPENT);
        visits = world_state(&halves[half], &VISITS);
        ok(stoa_stream_backend_import(halves[half].backend, world->database, "job", &err));
        for (int64_t user = 0; user < USERS; user++) {
            const stoa_cell key = {.i = user}, page = text("cart");
            const stoa_stream_scope scope = {.key = &key};
            int32_t group;
            ok(stoa_stream_state_group(spent, &key, &group, &err));
            if (group / 4 != half) {
                assert_fails(stoa_stream_state_add(visits, &scope, &page, &err), STOA_INVALID,
                             "expected one of", err);
                continue;
            }
            char found[64];
            sum += get_spent(spent, user);
            ok(stoa_stream_state_add(visits, &scope, &page, &err));
            scan_text(visits, &scope, NULL, found, sizeof found);
            assert_non_null(strstr(found, "home |"));
            assert_true(strstr(found, "cart |") > strstr(found, "home |"));
        }
        world_close(&halves[half]);
    }
    assert_true(sum == USERS * (USERS - 1) / 2);
}

static void test_clipping_leaves_the_groups_of_the_backend(void **state) {
    struct world *world = *state;
    stoa_stream_backend *half;
    stoa_stream_state *spent = world_state(world, &SPENT), *kept;
    int left = 0;
    stoa_error err;
    for (int64_t user = 0; user < 40; user++) {
        add_spent(spent, user, 1);
    }
    ok(stoa_stream_backend_commit(world->backend, STOA_DURABILITY_DEFAULT, &err));
    ok(stoa_stream_backend_open(world->database,
                                &(stoa_stream_backend_options){.name = "job",
                                                               .group_count = 8,
                                                               .first_group = 2,
                                                               .end_group = 5},
                                &half, &err));
    ok(stoa_stream_state_open(half, &SPENT, &kept, &err));
    ok(stoa_stream_backend_clip(half, &err));
    stoa_stream_backend_close(half);
    ok(stoa_stream_backend_rollback(world->backend, &err));
    for (int64_t user = 0; user < 40; user++) {
        const stoa_cell key = {.i = user};
        int32_t group;
        ok(stoa_stream_state_group(spent, &key, &group, &err));
        assert_true((get_spent(spent, user) == 1) == (group >= 2 && group < 5));
        left += group >= 2 && group < 5;
    }
    assert_true(left > 0 && left < 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_totals_and_the_position_are_committed_together),
        WORLD_TEST(test_a_rollback_forgets_all_states),
        WORLD_TEST(test_values_belong_to_a_key_and_a_namespace),
        WORLD_TEST(test_lists_keep_the_order_of_adding_over_reopening),
        WORLD_TEST(test_maps_are_ordered_and_have_ranges),
        WORLD_TEST(test_rows_are_gone_when_their_time_has_come),
        WORLD_TEST(test_timers_fire_in_order_of_time_and_once),
        WORLD_TEST(test_calls_of_timers_may_set_and_delete_timers),
        WORLD_TEST(test_a_checkpoint_names_its_barrier),
        WORLD_TEST(test_what_does_not_fit_is_refused),
        WORLD_TEST(test_keys_are_spread_anew_by_their_groups),
        WORLD_TEST(test_clipping_leaves_the_groups_of_the_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
