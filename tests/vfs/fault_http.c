/* Reading by http with each allocation failing in turn: ranges, a vector, a server without ranges. */
#include "http_world.h"

static struct http_world world;

static stoa_status read_file(support_world *faulty, void *user, stoa_error *err) {
    static uint8_t bytes[5000], other[100];
    const stoa_read_range ranges[] = {{0, 100, bytes},
                                      {200, 100, other},
                                      {90000, 100, bytes + 100}};
    const stoa_context context = {.pool = faulty->pool};
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(faulty->registry, user, STOA_OPEN_READ, &context, &file, err));
    stoa_status status = stoa_file_read(file, 0, bytes, sizeof bytes, err);
    if (status == STOA_OK) {
        status = stoa_file_read_vector(file, ranges, 3, err);
    }
    stoa_file_close(file);
    bool is_right = status != STOA_OK || (bytes[99] == byte_at(99) && other[0] == byte_at(200));
    return is_right ? status : stoa_fail(err, STOA_INTERNAL, "the bytes are wrong");
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const queries[] = {"", "&ranges=0", "&nohead=405"};
    for (size_t i = 0; i < 3; i++) {
        char uri[URL_BYTES];
        (void)snprintf(uri, sizeof uri, "http://me:p@127.0.0.1:%d/f?size=100000%s",
                       world.server.port, queries[i]);
        assert_in_range(support_fail_each_allocation(NULL, read_file, NULL, uri), 10, 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    support_server_open_http(&world.server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    support_server_close(&world.server);
    return failed;
}
