/* The contract of writing: modes, truncation, removal, renames, locks, conditional puts. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where writes become visible at sync, so does the refusal to create what is there. */
static void assert_create_fails(contract_world *world, const char *name) {
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(world->registry, contract_at(world, name), STOA_OPEN_CREATE,
                                       NULL, &file, &world->err);
    if (status == STOA_OK && contract_has(world, STOA_FS_WHOLE_WRITES)) {
        assert_ok(stoa_file_write(file, "other", 5, &world->err), world->err);
        status = stoa_file_sync(file, &world->err);
    }
    stoa_file_close(file);
    assert_fails(status, STOA_EXISTS, NULL, world->err);
    contract_assert_named(world, name);
}

static void modes_create_and_replace(void **state) {
    contract_world *world = *state;
    contract_finish(world, contract_open(world, "f", STOA_OPEN_CREATE));
    contract_assert_holds(world, "f", "");
    assert_create_fails(world, "f");
    contract_put_text(world, "f", "long before");
    assert_create_fails(world, "f");
    contract_assert_holds(world, "f", "long before");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, "short", 5, &world->err), world->err);
    contract_finish(world, file);
    contract_assert_holds(world, "f", "short");
}

static void appending_goes_on_after_what_is_there(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "f", "short");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_APPEND);
    assert_ok(stoa_file_write(file, " and", 4, &world->err), world->err);
    assert_ok(stoa_file_write(file, "", 0, &world->err), world->err);
    assert_ok(stoa_file_write(file, " more", 5, &world->err), world->err);
    contract_finish(world, file);
    contract_assert_holds(world, "f", "short and more");
    contract_finish(world, contract_open(world, "new", STOA_OPEN_APPEND));
    contract_assert_holds(world, "new", "");
}

static void truncating_sets_where_the_next_write_goes(void **state) {
    contract_world *world = *state;
    stoa_buffer bytes;
    stoa_file *file = contract_open(world, "f", STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, "0123456789", 10, &world->err), world->err);
    assert_ok(stoa_file_truncate(file, 4, &world->err), world->err);
    assert_ok(stoa_file_write(file, "xy", 2, &world->err), world->err);
    assert_ok(stoa_file_truncate(file, 8, &world->err), world->err);
    assert_ok(stoa_file_write(file, "z", 1, &world->err), world->err);
    assert_fails(stoa_file_truncate(file, UINT64_MAX, &world->err), STOA_INVALID, NULL, world->err);
    contract_finish(world, file);
    assert_ok(stoa_vfs_read_all(world->registry, contract_at(world, "f"), NULL, 100, world->pool,
                                &bytes, &world->err),
              world->err);
    assert_int_equal(bytes.size, 9);
    assert_memory_equal(bytes.data, "0123xy\0\0z", 9);
    stoa_buffer_release(&bytes);
}

static void writing_handles_do_not_read(void **state) {
    contract_world *world = *state;
    char buffer[4];
    stoa_file *file = contract_open(world, "f", STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, "text", 4, &world->err), world->err);
    assert_fails(stoa_file_read(file, 0, buffer, 1, &world->err), STOA_UNSUPPORTED, "read",
                 world->err);
    contract_assert_named(world, "f");
    contract_finish(world, file);
    contract_assert_holds(world, "f", "text");
}

static void writes_of_any_size_follow_each_other(void **state) {
    enum { SIZE = 2 * 1024 * 1024 + 3 };
    contract_world *world = *state;
    support_random random = {11};
    uint8_t *bytes = test_malloc(SIZE);
    stoa_buffer read;
    support_random_bytes(&random, bytes, SIZE);
    stoa_file *file = contract_open(world, "f", STOA_OPEN_CREATE);
    for (size_t done = 0; done < SIZE;) {
        size_t part = (size_t)support_random_below(&random, 100000) + 1;
        part = part < SIZE - done ? part : SIZE - done;
        assert_ok(stoa_file_write(file, bytes + done, part, &world->err), world->err);
        done += part;
    }
    contract_finish(world, file);
    assert_ok(stoa_vfs_read_all(world->registry, contract_at(world, "f"), NULL, SIZE, world->pool,
                                &read, &world->err),
              world->err);
    assert_int_equal(read.size, SIZE);
    assert_memory_equal(read.data, bytes, SIZE);
    stoa_buffer_release(&read);
    test_free(bytes);
}

static void whole_writes_appear_at_sync_or_never(void **state) {
    contract_world *world = *state;
    stoa_file *file = contract_open(world, "new", STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, "given up", 8, &world->err), world->err);
    stoa_file_close(file);
    assert_false(contract_exists(world, "new"));
    contract_put_text(world, "f", "before");
    file = contract_open(world, "f", STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, "given up", 8, &world->err), world->err);
    contract_assert_holds(world, "f", "before");
    stoa_file_close(file);
    contract_assert_holds(world, "f", "before");
}

static void replacing_leaves_no_other_names(void **state) {
    contract_world *world = *state;
    const char *uri = contract_at(world, "f");
    assert_ok(stoa_vfs_replace(world->registry, uri, NULL, "one", 3, &world->err), world->err);
    assert_ok(stoa_vfs_replace(world->registry, uri, NULL, "second", 6, &world->err), world->err);
    contract_assert_holds(world, "f", "second");
    contract_assert_lists(world, "", "f 6\n");
}

static void removing_takes_one_file(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "f", "x");
    contract_put_text(world, "f2", "x");
    assert_ok(stoa_vfs_remove(world->registry, contract_at(world, "f"), NULL, &world->err),
              world->err);
    assert_false(contract_exists(world, "f"));
    assert_true(contract_exists(world, "f2"));
    stoa_status status = stoa_vfs_remove(world->registry, contract_at(world, "f"), NULL,
                                         &world->err);
    if (status != STOA_OK || !contract_has(world, STOA_FS_NO_DIRECTORIES)) {
        assert_fails(status, STOA_NOT_FOUND, "cannot remove", world->err);
        contract_assert_named(world, "f");
    }
}

static void renaming_replaces_the_target(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "a", "new");
    contract_put_text(world, "b", "old");
    assert_ok(stoa_vfs_rename(world->registry, contract_at(world, "a"), contract_at(world, "b"),
                              NULL, &world->err),
              world->err);
    assert_false(contract_exists(world, "a"));
    contract_assert_holds(world, "b", "new");
    assert_ok(stoa_vfs_rename(world->registry, contract_at(world, "b"), contract_at(world, "b"),
                              NULL, &world->err),
              world->err);
    contract_assert_holds(world, "b", "new");
    assert_fails(stoa_vfs_rename(world->registry, contract_at(world, "no"), contract_at(world, "x"),
                                 NULL, &world->err),
                 STOA_NOT_FOUND, "cannot rename", world->err);
    contract_assert_named(world, "no");
    contract_assert_named(world, "x");
}

static stoa_status link_names(contract_world *world, const char *from, const char *to) {
    return stoa_vfs_link(world->registry, contract_at(world, from), contract_at(world, to), NULL,
                         &world->err);
}

static void a_link_is_a_second_name_of_the_content(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "a", "one");
    contract_put_text(world, "c", "other");
    assert_ok(link_names(world, "a", "b"), world->err);
    contract_assert_holds(world, "b", "one");
    stoa_file *file = contract_open(world, "a", STOA_OPEN_APPEND);
    assert_ok(stoa_file_write(file, " and two", 8, &world->err), world->err);
    contract_finish(world, file);
    contract_assert_holds(world, "b", "one and two");
    assert_ok(stoa_vfs_remove(world->registry, contract_at(world, "a"), NULL, &world->err),
              world->err);
    assert_false(contract_exists(world, "a"));
    contract_assert_holds(world, "b", "one and two");
    assert_fails(link_names(world, "b", "c"), STOA_EXISTS, "cannot link", world->err);
    contract_assert_named(world, "b");
    contract_assert_named(world, "c");
    contract_assert_holds(world, "c", "other");
    assert_fails(link_names(world, "b", "b"), STOA_EXISTS, NULL, world->err);
    assert_fails(link_names(world, "no", "x"), STOA_NOT_FOUND, "cannot link", world->err);
    assert_fails(link_names(world, "b", "no/x"), STOA_NOT_FOUND, NULL, world->err);
    assert_false(contract_exists(world, "x"));
}

static void names_that_are_linked_are_replaced_apart(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "a", "old");
    contract_put_text(world, "new", "new");
    assert_ok(link_names(world, "a", "b"), world->err);
    assert_ok(stoa_vfs_rename(world->registry, contract_at(world, "new"), contract_at(world, "a"),
                              NULL, &world->err),
              world->err);
    contract_assert_holds(world, "a", "new");
    contract_assert_holds(world, "b", "old");
}

static void directories_are_not_linked(void **state) {
    contract_world *world = *state;
    contract_make_directories(world, "d");
    contract_put_text(world, "f", "text");
    assert_fails(link_names(world, "d", "e"), STOA_INVALID, "directory", world->err);
    assert_fails(link_names(world, "f", "d"), STOA_EXISTS, NULL, world->err);
    assert_false(contract_exists(world, "e"));
    assert_ok(link_names(world, "f", "d/f"), world->err);
    contract_assert_holds(world, "d/f", "text");
}

static void a_lock_excludes_until_it_is_closed(void **state) {
    contract_world *world = *state;
    stoa_file *lock = NULL, *second = NULL;
    char holder[64];
    const char *uri = contract_at(world, "lock");
    (void)snprintf(holder, sizeof holder, "process %ld has it", (long)getpid());
    assert_ok(stoa_vfs_lock(world->registry, uri, NULL, &lock, &world->err), world->err);
    assert_fails(stoa_vfs_lock(world->registry, uri, NULL, &second, &world->err), STOA_LOCKED,
                 holder, world->err);
    assert_null(second);
    contract_assert_named(world, "lock");
    (void)snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    contract_assert_holds(world, "lock", holder);
    assert_ok(stoa_vfs_lock(world->registry, contract_at(world, "other"), NULL, &second,
                            &world->err),
              world->err);
    stoa_file_close(second);
    stoa_file_close(lock);
    assert_ok(stoa_vfs_lock(world->registry, uri, NULL, &lock, &world->err), world->err);
    stoa_file_close(lock);
    assert_fails(stoa_vfs_lock(world->registry, world->base, NULL, &lock, &world->err),
                 STOA_INVALID, "directory", world->err);
}

static stoa_status put_if(contract_world *world, const char *expected, const char *text,
                          char out_version[64]) {
    return stoa_vfs_put_if(world->registry, contract_at(world, "f"), NULL, expected, text,
                           strlen(text), out_version, &world->err);
}

static void a_put_happens_only_over_the_version_expected(void **state) {
    contract_world *world = *state;
    char first[64] = "", second[64] = "", none[64] = "";
    stoa_file_info info;
    assert_fails(put_if(world, "no such version", "x", none), STOA_CONFLICT, "cannot replace",
                 world->err);
    contract_assert_named(world, "f");
    assert_false(contract_exists(world, "f"));
    assert_ok(put_if(world, "", "one", first), world->err);
    assert_fails(put_if(world, "", "two", none), STOA_CONFLICT, NULL, world->err);
    contract_assert_holds(world, "f", "one");
    assert_ok(stoa_vfs_stat(world->registry, contract_at(world, "f"), NULL, &info, &world->err),
              world->err);
    assert_string_equal(info.version, first);
    assert_ok(put_if(world, info.version, "two", second), world->err);
    assert_string_not_equal(first, second);
    assert_fails(put_if(world, first, "three", none), STOA_CONFLICT, NULL, world->err);
    contract_assert_holds(world, "f", "two");
    assert_ok(put_if(world, second, "", first), world->err);
    contract_assert_holds(world, "f", "");
}

struct counter {
    contract_world *world;
    char uri[CONTRACT_URI_BYTES];
    stoa_error err;
};

/* Reads the number and puts one more, again whenever somebody else was first. The version is looked
 * at before the content, so that content of a later one makes the put fail. */
static stoa_status increment(struct counter *counter) {
    stoa_fs_registry *registry = counter->world->registry;
    for (;;) {
        stoa_file_info info;
        char text[32] = "", version[64];
        stoa_buffer bytes;
        STOA_TRY(stoa_vfs_stat(registry, counter->uri, NULL, &info, &counter->err));
        stoa_status status = stoa_vfs_read_all(registry, counter->uri, NULL, 31,
                                               counter->world->pool, &bytes, &counter->err);
        if (status == STOA_CONFLICT) {
            /* Replaced under the reader. */
            stoa_error_clear(&counter->err);
            continue;
        }
        STOA_TRY(status);
        memcpy(text, bytes.data, bytes.size);
        stoa_buffer_release(&bytes);
        int length = snprintf(text, sizeof text, "%ld", strtol(text, NULL, 10) + 1);
        status = stoa_vfs_put_if(registry, counter->uri, NULL, info.version, text, (size_t)length,
                                 version, &counter->err);
        if (status != STOA_CONFLICT) {
            return status;
        }
        stoa_error_clear(&counter->err);
    }
}

static void *count(void *user) {
    for (int i = 0; i < 10; i++) {
        if (increment(user) != STOA_OK) {
            break;
        }
    }
    return NULL;
}

static void counters_kept_by_puts_lose_nothing(void **state) {
    enum { THREADS = 3 };
    contract_world *world = *state;
    pthread_t threads[THREADS];
    struct counter *counters = test_calloc(THREADS, sizeof *counters);
    char version[64];
    assert_ok(put_if(world, "", "0", version), world->err);
    for (size_t i = 0; i < THREADS; i++) {
        counters[i] = (struct counter){.world = world, .err = STOA_ERROR_NONE};
        strcpy(counters[i].uri, contract_at(world, "f"));
        assert_int_equal(pthread_create(&threads[i], NULL, count, &counters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_ok(counters[i].err.status, counters[i].err);
    }
    test_free(counters);
    contract_assert_holds(world, "f", "30");
}

static void *map_to_write(contract_world *world, stoa_file *file, uint64_t size) {
    void *bytes = NULL;
    assert_ok(stoa_file_map_write(file, size, &bytes, &world->err), world->err);
    assert_non_null(bytes);
    return bytes;
}

static void what_is_stored_in_a_map_is_the_content_at_once(void **state) {
    enum { SIZE = 10000, MAPPED = 8192 };
    contract_world *world = *state;
    char buffer[8] = "";
    uint64_t size;
    stoa_file *file = contract_open(world, "f", STOA_OPEN_CREATE);
    assert_ok(stoa_file_preallocate(file, SIZE, true, &world->err), world->err);
    contract_finish(world, file);
    file = contract_open(world, "f", STOA_OPEN_UPDATE);
    stoa_file *other = contract_open(world, "f", STOA_OPEN_UPDATE);
    stoa_file *reader = contract_open(world, "f", STOA_OPEN_READ);
    char *bytes = map_to_write(world, file, MAPPED);
    char *again = map_to_write(world, other, SIZE);
    stoa_file_advise(file, 0, 0, STOA_ADVICE_WILL_NEED);
    memcpy(bytes + 5000, "first", 5);
    assert_memory_equal(again + 5000, "first", 5);
    memcpy(again + SIZE - 4, "last", 4);
    assert_ok(stoa_file_read(reader, 5000, buffer, 5, &world->err), world->err);
    assert_memory_equal(buffer, "first", 5);
    assert_ok(stoa_file_read(file, SIZE - 4, buffer, 4, &world->err), world->err);
    assert_memory_equal(buffer, "last", 4);
    assert_ptr_equal(map_to_write(world, file, 1), bytes);
    assert_ok(stoa_file_sync(other, &world->err), world->err);
    assert_ok(stoa_file_map_check(file, &world->err), world->err);
    stoa_file_close(other);
    bytes[0] = 'x';
    stoa_file_close(file);
    assert_ok(stoa_file_size(reader, &size, &world->err), world->err);
    assert_int_equal(size, SIZE);
    assert_ok(stoa_file_read(reader, 0, buffer, 1, &world->err), world->err);
    assert_int_equal(buffer[0], 'x');
    stoa_file_close(reader);
}

static void updating_is_of_files_that_are_long_enough(void **state) {
    contract_world *world = *state;
    void *bytes;
    contract_assert_open_fails(world, "f", STOA_OPEN_UPDATE, STOA_NOT_FOUND, "cannot update");
    assert_false(contract_exists(world, "f"));
    contract_put_text(world, "f", "text");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_UPDATE);
    assert_fails(stoa_file_map_write(file, 5, &bytes, &world->err), STOA_INVALID, "4 bytes, not 5",
                 world->err);
    assert_null(bytes);
    contract_assert_named(world, "f");
    assert_fails(stoa_file_map_write(file, 0, &bytes, &world->err), STOA_INVALID, NULL, world->err);
    (void)map_to_write(world, file, 2);
    assert_fails(stoa_file_map_write(file, 3, &bytes, &world->err), STOA_INVALID, NULL, world->err);
    assert_fails(stoa_file_write(file, "x", 1, &world->err), STOA_UNSUPPORTED, NULL, world->err);
    assert_fails(stoa_file_truncate(file, 0, &world->err), STOA_UNSUPPORTED, NULL, world->err);
    contract_finish(world, file);
    contract_assert_holds(world, "f", "text");
    file = contract_open(world, "f", STOA_OPEN_READ);
    assert_fails(stoa_file_map_write(file, 1, &bytes, &world->err), STOA_UNSUPPORTED,
                 "cannot map and write", world->err);
    stoa_file_close(file);
}

static void assert_lacking(contract_world *world, uint32_t lacks, stoa_status status) {
    if (contract_lacks(world, lacks)) {
        assert_fails(status, STOA_UNSUPPORTED, NULL, world->err);
        assert_non_null(strstr(world->err.message, "f"));
    }
}

static stoa_status open_and_close(contract_world *world, stoa_open_mode mode) {
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(world->registry, contract_at(world, "f"), mode, NULL, &file,
                                       &world->err);
    stoa_file_close(file);
    return status;
}

static stoa_status list_nothing(void *user, const char *name, const stoa_file_info *info,
                                stoa_error *err) {
    (void)user, (void)name, (void)info, (void)err;
    return STOA_OK;
}

static void check_missing_handle_operations(contract_world *world) {
    const void *bytes;
    uint64_t size;
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_lacking(world, CONTRACT_LACKS_MAP, stoa_file_map(file, &bytes, &size, &world->err));
    stoa_file_close(file);
    if (contract_lacks(world, CONTRACT_LACKS_TRUNCATE) &&
        !contract_lacks(world, CONTRACT_LACKS_WRITE)) {
        file = contract_open(world, "other", STOA_OPEN_REPLACE);
        assert_lacking(world, CONTRACT_LACKS_TRUNCATE, stoa_file_truncate(file, 0, &world->err));
        stoa_file_close(file);
    }
}

static void what_is_lacking_says_so_and_harms_nothing(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    stoa_error *err = &world->err;
    char version[64];
    stoa_file *lock = NULL;
    contract_put_text(world, "f", "text");
    for (uint32_t feature = 1; feature <= STOA_FS_REMOTE; feature *= 2) {
        assert_int_equal(stoa_vfs_has(registry, world->base, (stoa_fs_feature)feature),
                         (world->subject->features & feature) != 0);
    }
    const char *uri = contract_at(world, "f");
    if (contract_lacks(world, CONTRACT_LACKS_WRITE)) {
        assert_lacking(world, CONTRACT_LACKS_WRITE, open_and_close(world, STOA_OPEN_CREATE));
        assert_lacking(world, CONTRACT_LACKS_WRITE, open_and_close(world, STOA_OPEN_REPLACE));
    }
    if (contract_lacks(world, CONTRACT_LACKS_APPEND)) {
        assert_lacking(world, CONTRACT_LACKS_APPEND, open_and_close(world, STOA_OPEN_APPEND));
    }
    if (contract_lacks(world, CONTRACT_LACKS_UPDATE)) {
        assert_lacking(world, CONTRACT_LACKS_UPDATE, open_and_close(world, STOA_OPEN_UPDATE));
    }
    if (contract_lacks(world, CONTRACT_LACKS_RENAME)) {
        assert_lacking(world, CONTRACT_LACKS_RENAME,
                       stoa_vfs_rename(registry, uri, contract_at(world, "g"), NULL, err));
    }
    if (contract_lacks(world, CONTRACT_LACKS_LINK)) {
        assert_lacking(world, CONTRACT_LACKS_LINK,
                       stoa_vfs_link(registry, uri, contract_at(world, "g"), NULL, err));
    }
    if (contract_lacks(world, CONTRACT_LACKS_REMOVE)) {
        assert_lacking(world, CONTRACT_LACKS_REMOVE, stoa_vfs_remove(registry, uri, NULL, err));
    }
    if (contract_lacks(world, CONTRACT_LACKS_LIST)) {
        assert_lacking(world, CONTRACT_LACKS_LIST,
                       stoa_vfs_list(registry, world->base, NULL, list_nothing, NULL, err));
    }
    if (contract_lacks(world, CONTRACT_LACKS_PUT_IF)) {
        assert_lacking(world, CONTRACT_LACKS_PUT_IF,
                       stoa_vfs_put_if(registry, uri, NULL, "", "x", 1, version, err));
    }
    if (contract_lacks(world, CONTRACT_LACKS_LOCK)) {
        assert_lacking(world, CONTRACT_LACKS_LOCK, stoa_vfs_lock(registry, uri, NULL, &lock, err));
        assert_null(lock);
    }
    check_missing_handle_operations(world);
    contract_assert_holds(world, "f", "text");
}

const contract_test contract_writing_tests[] = {
    CONTRACT_TEST(modes_create_and_replace, .needs = CONTRACT_LACKS_WRITE),
    CONTRACT_TEST(appending_goes_on_after_what_is_there, .needs = CONTRACT_LACKS_APPEND),
    CONTRACT_TEST(truncating_sets_where_the_next_write_goes, .needs = CONTRACT_LACKS_TRUNCATE),
    CONTRACT_TEST(writing_handles_do_not_read, .needs = CONTRACT_LACKS_WRITE),
    CONTRACT_TEST(what_is_stored_in_a_map_is_the_content_at_once,
                  .needs = CONTRACT_LACKS_WRITE | CONTRACT_LACKS_UPDATE),
    CONTRACT_TEST(updating_is_of_files_that_are_long_enough, .needs = CONTRACT_LACKS_UPDATE),
    CONTRACT_TEST(writes_of_any_size_follow_each_other, .needs = CONTRACT_LACKS_WRITE),
    CONTRACT_TEST(whole_writes_appear_at_sync_or_never, .needs = CONTRACT_LACKS_WRITE,
                  .only = STOA_FS_WHOLE_WRITES),
    CONTRACT_TEST(replacing_leaves_no_other_names,
                  .needs = CONTRACT_LACKS_WRITE | CONTRACT_LACKS_LIST),
    CONTRACT_TEST(removing_takes_one_file, .needs = CONTRACT_LACKS_REMOVE),
    CONTRACT_TEST(renaming_replaces_the_target, .needs = CONTRACT_LACKS_RENAME),
    CONTRACT_TEST(a_link_is_a_second_name_of_the_content,
                  .needs = CONTRACT_LACKS_LINK | CONTRACT_LACKS_APPEND),
    CONTRACT_TEST(names_that_are_linked_are_replaced_apart,
                  .needs = CONTRACT_LACKS_LINK | CONTRACT_LACKS_RENAME),
    CONTRACT_TEST(directories_are_not_linked,
                  .needs = CONTRACT_LACKS_LINK | CONTRACT_LACKS_DIRECTORIES),
    CONTRACT_TEST(a_lock_excludes_until_it_is_closed, .needs = CONTRACT_LACKS_LOCK),
    CONTRACT_TEST(a_put_happens_only_over_the_version_expected, .needs = CONTRACT_LACKS_PUT_IF),
    CONTRACT_TEST(counters_kept_by_puts_lose_nothing, .needs = CONTRACT_LACKS_PUT_IF,
                  .has_threads = true),
    CONTRACT_TEST(what_is_lacking_says_so_and_harms_nothing),
    {.name = NULL},
};
