/* Files by http and https from nginx: the contract, certificates, users, redirects between the two. */
#include "contract.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stoa/http.h>

#include "server.h"

enum { HTTP, HTTPS, WRONG_NAME, EXPIRED };

static support_server server;
static char folder[SUPPORT_PATH_BYTES];
static int worlds;

static void start(void) {
    support_temp_directory(folder);
    const char *const argv[] = {"python3", "tests/support/nginx.py", folder, NULL};
    support_server_open(&server, argv);
}

/* The contract -----------------------------------------------------------------------------------*/

static void register_schemes(contract_world *world) {
    char ca_file[SUPPORT_PATH_BYTES + 16];
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    stoa_http_fs_options options = {.ca_file = ca_file};
    assert_ok(stoa_fs_register_http(world->registry, &options, &world->err), world->err);
    worlds++; /* each has a folder of its own below that of the server */
}

static void open_http(contract_world *world) {
    register_schemes(world);
    (void)snprintf(world->base, sizeof world->base, "http://127.0.0.1:%d/files/%d",
                   server.ports[HTTP], worlds);
}

static void open_https(contract_world *world) {
    register_schemes(world);
    (void)snprintf(world->base, sizeof world->base, "https://localhost:%d/files/%d",
                   server.ports[HTTPS], worlds);
}

static void make_parents(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void put(contract_world *world, const char *name, const void *bytes, size_t size) {
    char path[SUPPORT_PATH_BYTES + CONTRACT_URI_BYTES];
    (void)world;
    (void)snprintf(path, sizeof path, "%s/files/%d/%s", folder, worlds, name);
    make_parents(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    assert_int_equal(close(file), 0);
}

/* What means something in a URI is encoded; all else is left to the library. */
static void uri_of(const contract_world *world, const char *name, char out[CONTRACT_URI_BYTES]) {
    size_t size = (size_t)snprintf(out, CONTRACT_URI_BYTES, "%s/", world->base);
    for (const char *c = name; *c != '\0'; c++) {
        size += (size_t)snprintf(out + size, CONTRACT_URI_BYTES - size,
                                 strchr("%?#*", *c) != NULL ? "%%%02X" : "%c", (unsigned char)*c);
    }
}

static int run_contract(void) {
    enum { LACKS = CONTRACT_READ_ONLY | CONTRACT_LACKS_LIST | CONTRACT_LACKS_MAP };
    enum { FEATURES = STOA_FS_REMOTE | STOA_FS_NO_DIRECTORIES };
    enum { WAYS = CONTRACT_VERSIONS_ARE_COARSE | CONTRACT_OPEN_FILES_CHANGE };
    static const contract_subject subjects[] = {
        {.name = "http",
         .open = open_http,
         .put = put,
         .uri = uri_of,
         .lacks = LACKS,
         .features = FEATURES,
         .ways = WAYS},
        {.name = "https",
         .open = open_https,
         .put = put,
         .uri = uri_of,
         .lacks = LACKS,
         .features = FEATURES,
         .ways = WAYS},
    };
    return contract_run(subjects, sizeof subjects / sizeof subjects[0]);
}

/* What the contract does not say ------------------------------------------------------------------*/

static contract_world world;

static int open_world(void **state) {
    (void)state;
    world = (contract_world){.err = STOA_ERROR_NONE};
    world.pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &world.err), world.err);
    open_https(&world);
    put(&world, "f", "0123456789", 10);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    stoa_fs_registry_close(world.registry);
    support_pool_close(world.pool);
    return 0;
}

static const char *at(const char *scheme, const char *host, int which, const char *path) {
    static char text[CONTRACT_URI_BYTES];
    (void)snprintf(text, sizeof text, "%s://%s:%d/%s/%d/f", scheme, host, server.ports[which], path,
                   worlds);
    return text;
}

static void assert_holds(const char *uri) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world.registry, uri, NULL, 100, world.pool, &bytes, &world.err),
              world.err);
    assert_int_equal(bytes.size, 10);
    assert_memory_equal(bytes.data, "0123456789", 10);
    stoa_buffer_release(&bytes);
}

static void assert_refused(const char *uri, const char *text) {
    stoa_file_info info;
    assert_fails(stoa_vfs_stat(world.registry, uri, NULL, &info, &world.err), STOA_IO, text,
                 world.err);
    assert_non_null(strstr(world.err.message, "://"));
}

static void certificates_are_verified(void **state) {
    (void)state;
    assert_holds(at("https", "127.0.0.1", HTTPS, "files"));
    assert_holds(at("https", "localhost", HTTPS, "files"));
    assert_refused(at("https", "localhost", WRONG_NAME, "files"),
                   "no alternative certificate subject name");
    assert_refused(at("https", "localhost", EXPIRED, "files"), "expired");
    stoa_http_fs_options options = {0};
    assert_ok(stoa_fs_register_http(world.registry, &options, &world.err), world.err);
    assert_refused(at("https", "localhost", HTTPS, "files"), "certificate");
    options.ca_file = "/no/such/file.pem";
    assert_ok(stoa_fs_register_http(world.registry, &options, &world.err), world.err);
    assert_refused(at("https", "localhost", HTTPS, "files"), "/no/such/file.pem");
}

static void the_environment_names_an_authority(void **state) {
    static const char *const names[] = {"STOA_CA_FILE", "SSL_CERT_FILE"};
    char ca_file[SUPPORT_PATH_BYTES + 16];
    (void)state;
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setenv(names[i], ca_file, 1), 0);
        stoa_http_fs_options options = {0};
        assert_ok(stoa_fs_register_http(world.registry, &options, &world.err), world.err);
        assert_holds(at("https", "localhost", HTTPS, "files"));
        assert_int_equal(unsetenv(names[i]), 0);
    }
}

static void users_are_asked_for(void **state) {
    (void)state;
    assert_refused(at("https", "localhost", HTTPS, "private"), "401 Unauthorized");
    assert_refused(at("https", "me:wrong@localhost", HTTPS, "private"), "401 Unauthorized");
    assert_null(strstr(world.err.message, "wrong"));
    assert_holds(at("https", "me:secret@localhost", HTTPS, "private"));
}

static void https_never_becomes_http(void **state) {
    (void)state;
    stoa_file_info info;
    assert_refused(at("https", "localhost", HTTPS, "down"), "redirects from https to http");
    /* The other way is followed: what it leads to is a folder, and not found. */
    assert_fails(stoa_vfs_stat(world.registry, at("http", "127.0.0.1", HTTP, "up"), NULL, &info,
                               &world.err),
                 STOA_NOT_FOUND, "404", world.err);
}

static void plain_http_is_no_https(void **state) {
    (void)state;
    assert_refused(at("https", "localhost", HTTP, "files"), "SSL");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(certificates_are_verified), TEST(the_environment_names_an_authority),
        TEST(users_are_asked_for),       TEST(https_never_becomes_http),
        TEST(plain_http_is_no_https),
    };
    start();
    int failed = run_contract();
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    support_server_close(&server);
    return failed;
}
