/* Files by http through a proxy that cuts, resets, delays and slows connections, and through proxies
 * that the environment names. */
#include "http_world.h"

#include <stdlib.h>

#include <stoa/http.h>

static struct http_world world;
static stoa_fs_registry *registry;

static int open_world(void **state) {
    stoa_http_fs_options options = {.stall_timeout_ms = 1000};
    (void)state;
    world.err = (stoa_error)STOA_ERROR_NONE;
    world.pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world.pool, &registry, &world.err), world.err);
    assert_ok(stoa_fs_register_http(registry, &options, &world.err), world.err);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(world.pool);
    return 0;
}

static stoa_status read_whole(int port, const char *query, size_t size) {
    char uri[URL_BYTES];
    stoa_buffer bytes;
    (void)snprintf(uri, sizeof uri, "http://127.0.0.1:%d/f?size=%zu&%s", port, size, query);
    stoa_status status = stoa_vfs_read_all(registry, uri, NULL, size, world.pool, &bytes,
                                           &world.err);
    if (status == STOA_OK) {
        assert_int_equal(bytes.size, size);
        assert_content(bytes.data, 0, size);
    }
    stoa_buffer_release(&bytes);
    return status;
}

static void open_proxy(support_server *proxy, const char *plan) {
    char port[16];
    (void)snprintf(port, sizeof port, "%d", world.server.port);
    const char *const argv[] = {"python3", "tests/support/fault_proxy.py", "127.0.0.1", port, plan,
                                NULL};
    support_server_open(proxy, argv);
}

static void broken_connections_are_mended(void **state) {
    static const char *const plans[] = {
        "cut=100000,times=3", "reset=100000,times=3", "refuse,times=2",
        "cut=0,times=2",      "cut=40,times=2",       "delay=5",
        "slow=4000000",       "connect=100",          "hang=50000,times=1",
        "cut=300000",
    };
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        support_server proxy;
        open_proxy(&proxy, plans[i]);
        assert_ok(read_whole(proxy.port, "", 2000000), world.err);
        support_server_close(&proxy);
    }
}

static void what_stays_broken_is_reported(void **state) {
    support_server proxy;
    (void)state;
    open_proxy(&proxy, "cut=10");
    assert_fails(read_whole(proxy.port, "", 1000), STOA_IO, "http://127.0.0.1", world.err);
    support_server_close(&proxy);
    open_proxy(&proxy, "refuse");
    assert_fails(read_whole(proxy.port, "", 1000), STOA_IO, NULL, world.err);
    support_server_close(&proxy);
}

/* The server takes a request for another host's file as one of its own: a proxy is asked so. */
static void the_environment_names_a_proxy(void **state) {
    char proxy[64];
    stoa_file_info info;
    (void)state;
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", world.server.port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_ok(stoa_vfs_stat(registry, "http://data.invalid/f?size=77", NULL, &info, &world.err),
              world.err);
    assert_int_equal(info.size, 77);
    assert_int_equal(setenv("no_proxy", "other.invalid,data.invalid", 1), 0);
    assert_fails(stoa_vfs_stat(registry, "http://data.invalid/f?size=77", NULL, &info, &world.err),
                 STOA_IO, "data.invalid", world.err);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(broken_connections_are_mended),
        TEST(what_stays_broken_is_reported),
        TEST(the_environment_names_a_proxy),
    };
    support_server_open_http(&world.server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    support_server_close(&world.server);
    return failed;
}
