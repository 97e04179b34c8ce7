/* Files by http against a server that misbehaves on demand: ranges, retries, versions, servers
 * without ranges, redirects, credentials, names. */
#include "http_world.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <stoa/http.h>

static struct http_world world;
static stoa_fs_registry *registry;

static void open_registry(const stoa_http_fs_options *options) {
    stoa_fs_registry_close(registry);
    registry = NULL;
    assert_ok(stoa_fs_registry_create(world.pool, &registry, &world.err), world.err);
    if (options != NULL) {
        assert_ok(stoa_fs_register_http(registry, options, &world.err), world.err);
    }
}

static int open_group(void **state) {
    (void)state;
    support_server_open_http(&world.server);
    return 0;
}

static int close_group(void **state) {
    (void)state;
    support_server_close(&world.server);
    return 0;
}

static int open_world(void **state) {
    (void)state;
    stoa_http_fs_options options = {.stall_timeout_ms = 2000};
    world.err = (stoa_error)STOA_ERROR_NONE;
    world.pool = support_pool_open();
    world.context = (stoa_context){.pool = world.pool};
    open_registry(&options);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    registry = NULL;
    support_pool_close(world.pool);
    return 0;
}

static stoa_file *open_file(const char *uri) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, uri, STOA_OPEN_READ, &world.context, &file, &world.err),
              world.err);
    return file;
}

static void assert_open_fails(const char *uri, stoa_status status, const char *text) {
    stoa_file *file = NULL;
    assert_fails(stoa_vfs_open(registry, uri, STOA_OPEN_READ, &world.context, &file, &world.err),
                 status, text, world.err);
    assert_null(file);
}

static void assert_reads(stoa_file *file, uint64_t offset, size_t size) {
    uint8_t *bytes = test_malloc(size);
    assert_ok(stoa_file_read(file, offset, bytes, size, &world.err), world.err);
    assert_content(bytes, offset, size);
    test_free(bytes);
}

static void assert_read_fails(stoa_file *file, uint64_t offset, size_t size, stoa_status status,
                              const char *text) {
    uint8_t *bytes = test_malloc(size);
    assert_fails(stoa_file_read(file, offset, bytes, size, &world.err), status, text, world.err);
    test_free(bytes);
}

/* What the server noted of the requests with an id: a line for each. Lives until the next call. */
static const char *log_of(const char *id) {
    static char text[1 << 16];
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(registry, url_at(&world, "/log?of=%s", id), NULL, sizeof text - 1,
                                world.pool, &bytes, &world.err),
              world.err);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    stoa_buffer_release(&bytes);
    return text;
}

static int count_of(const char *id, const char *needle) {
    int count = 0;
    for (const char *at = log_of(id); (at = strstr(at, needle)) != NULL; at++) {
        count++;
    }
    return count;
}

static void a_file_has_size_time_and_version(void **state) {
    (void)state;
    stoa_file_info info;
    const char *when = "modified=Sun,+06+Nov+1994+08:49:37+GMT";
    assert_ok(stoa_vfs_stat(registry, url_at(&world, "/f?size=12345&%s", when), NULL, &info,
                            &world.err),
              world.err);
    assert_int_equal(info.size, 12345);
    assert_int_equal(info.modified_ms, 784111777000);
    assert_string_equal(info.version, "\"v1\"");
    assert_false(info.is_directory);
    assert_ok(stoa_vfs_stat(registry, url_at(&world, "/f?size=5&etag=-&%s", when), NULL, &info,
                            &world.err),
              world.err);
    assert_string_equal(info.version, "5-Sun, 06 Nov 1994 08:49:37 GMT");
    assert_ok(stoa_vfs_stat(registry, url_at(&world, "/f?size=5&etag=-"), NULL, &info, &world.err),
              world.err);
    assert_string_equal(info.version, "");
}

static void ranges_are_read_where_they_lie(void **state) {
    (void)state;
    uint64_t size = 0;
    size_t got = 0;
    uint8_t bytes[100];
    stoa_file *file = open_file(url_at(&world, "/f?size=30000000"));
    assert_ok(stoa_file_size(file, &size, &world.err), world.err);
    assert_int_equal(size, 30000000);
    assert_reads(file, 0, 10);
    assert_reads(file, 12345678, 1000);
    assert_reads(file, 1000000, 20000000);
    assert_reads(file, 29999990, 10);
    assert_ok(stoa_file_read_some(file, 29999990, bytes, 100, &got, &world.err), world.err);
    assert_int_equal(got, 10);
    assert_ok(stoa_file_read_some(file, 30000000, bytes, 100, &got, &world.err), world.err);
    assert_int_equal(got, 0);
    assert_read_fails(file, 29999990, 11, STOA_CORRUPT, "the file ends after 10");
    stoa_file_close(file);
    file = open_file(url_at(&world, "/f?size=0"));
    assert_ok(stoa_file_read_some(file, 0, bytes, 100, &got, &world.err), world.err);
    assert_int_equal(got, 0);
    stoa_file_close(file);
}

static void a_long_read_comes_in_parts_side_by_side(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=20000000&id=long"));
    assert_reads(file, 1000, 19000000);
    stoa_file_close(file);
    assert_int_equal(count_of("long", "GET bytes="), 5);
}

static void small_reads_in_order_are_gathered(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=3000000&id=small"));
    for (uint64_t offset = 0; offset < 3000000; offset += 1000) {
        assert_reads(file, offset, 1000);
    }
    stoa_file_close(file);
    assert_in_range(count_of("small", "GET"), 2, 8);
}

static void scattered_reads_fetch_no_more_than_they_need(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=3000000&id=scattered"));
    assert_reads(file, 2000000, 100);
    assert_reads(file, 1000000, 100);
    assert_int_equal(count_of("scattered", "GET bytes=2000000-2000099"), 1);
    assert_int_equal(count_of("scattered", "GET bytes=1000000-1000099"), 1);
    stoa_file_close(file);
}

static void ranges_that_lie_close_are_one_request(void **state) {
    (void)state;
    static uint8_t a[1000], b[1000], c[1000], d[1000];
    const stoa_read_range ranges[] = {{500000, 1000, a},
                                      {2000, 1000, b},
                                      {0, 1000, c},
                                      {501000, 1000, d},
                                      {7, 0, NULL}};
    stoa_file *file = open_file(url_at(&world, "/f?size=3000000&id=vector"));
    assert_ok(stoa_file_read_vector(file, ranges, 5, &world.err), world.err);
    for (size_t i = 0; i < 4; i++) {
        assert_content(ranges[i].buffer, ranges[i].offset, ranges[i].size);
    }
    assert_int_equal(count_of("vector", "GET bytes=0-2999"), 1);
    assert_int_equal(count_of("vector", "GET bytes=500000-501999"), 1);
    assert_int_equal(count_of("vector", "GET"), 2);
    const stoa_read_range beyond[] = {{0, 10, a}, {2999999, 2, b}};
    assert_fails(stoa_file_read_vector(file, beyond, 2, &world.err), STOA_CORRUPT, "ends after 1",
                 world.err);
    stoa_file_close(file);
}

static void a_broken_body_goes_on_where_it_broke(void **state) {
    (void)state;
    static const char *const plans[] = {"cut", "reset"};
    for (size_t i = 0; i < 2; i++) {
        stoa_file *file = open_file(url_at(&world,
                                           "/f?size=100000&id=broken%zu&%s=1000&after=1"
                                           "&times=3",
                                           i, plans[i]));
        assert_reads(file, 0, 100000);
        stoa_file_close(file);
        char id[16];
        (void)snprintf(id, sizeof id, "broken%zu", i);
        assert_int_equal(count_of(id, "GET bytes=0-99999"), 1);
        assert_int_equal(count_of(id, "GET bytes=1000-99999"), 1);
        assert_int_equal(count_of(id, "GET bytes=3000-99999"), 1);
        assert_int_equal(count_of(id, "GET"), 4);
    }
}

static void progress_renews_the_attempts(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=1000000&id=slow&cut=70000&after=1"));
    assert_reads(file, 0, 1000000);
    stoa_file_close(file);
    assert_int_equal(count_of("slow", "GET"), 15);
}

static void statuses_of_the_moment_are_tried_again(void **state) {
    (void)state;
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        stoa_file *file = open_file(
            url_at(&world, "/f?size=1000&id=s%d&status=%d&times=2", statuses[i], statuses[i]));
        assert_reads(file, 0, 1000);
        stoa_file_close(file);
    }
    stoa_file *file = open_file(url_at(&world, "/f?size=1000&id=s&status=503&after=1&times=1"
                                               "&retry_after=0"));
    assert_reads(file, 0, 1000);
    stoa_file_close(file);
}

static void attempts_come_to_an_end(void **state) {
    (void)state;
    stoa_http_fs_options options = {.attempts = 3};
    open_registry(&options);
    assert_open_fails(url_at(&world, "/f?size=1000&id=end&status=503"), STOA_IO,
                      "the server answers 503 Service Unavailable");
    assert_int_equal(count_of("end", "HEAD"), 3);
    stoa_file *file = open_file(url_at(&world, "/f?size=1000&id=end2&cut=0&after=1"));
    assert_read_fails(file, 0, 1000, STOA_IO, NULL);
    assert_int_equal(count_of("end2", "GET"), 3);
    stoa_file_close(file);
}

static void what_is_refused_is_said_once(void **state) {
    (void)state;
    static const struct {
        int code;
        stoa_status status;
        const char *text;
    } answers[] = {
        {401, STOA_IO, "401 Unauthorized"}, {404, STOA_NOT_FOUND, "404 Not Found"},
        {410, STOA_NOT_FOUND, "410 Gone"},  {418, STOA_IO, "answers 418"},
        {300, STOA_IO, "answers 300"},      {204, STOA_IO, "answers 204"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const char *uri = url_at(&world, "/f?id=r%d&status=%d", answers[i].code, answers[i].code);
        char id[16];
        assert_open_fails(uri, answers[i].status, answers[i].text);
        assert_non_null(strstr(world.err.message, uri));
        (void)snprintf(id, sizeof id, "r%d", answers[i].code);
        assert_int_equal(count_of(id, "HEAD"), 1);
        assert_int_equal(count_of(id, "GET"), 0);
    }
    /* HEAD may be refused alone: the second request is a GET. */
    assert_open_fails(url_at(&world, "/f?id=r403&status=403"), STOA_IO, "403 Forbidden");
    assert_int_equal(count_of("r403", "GET bytes=0-0"), 1);
}

static void a_change_under_the_reader_is_an_error(void **state) {
    (void)state;
    static const char *const plans[] = {
        "status=200&after=1&etag=\"a\"&then_etag=\"b\"", /* the server honours If-Match */
        "after=1&etag=\"a\"&then_etag=\"b\"&ifmatch=0",  /* it does not */
        "after=1&etag=W/\"a\"&then_etag=W/\"b\"",
        "after=1&total=2000",
    };
    for (size_t i = 1; i < sizeof plans / sizeof plans[0]; i++) {
        stoa_file *file = open_file(url_at(&world, "/f?size=1000&id=change%zu&%s", i, plans[i]));
        assert_read_fails(file, 0, 500, STOA_CONFLICT, "changed while it was read");
        stoa_file_close(file);
    }
    stoa_file *file = open_file(url_at(&world, "/f?size=1000&id=change&after=1&etag=\"a\""
                                               "&then_etag=\"b\""));
    assert_read_fails(file, 0, 500, STOA_CONFLICT, "412 Precondition Failed");
    stoa_file_close(file);
    /* A retry in the middle of a body is held to the same version. */
    file = open_file(url_at(&world, "/f?size=1000&id=change9&after=2&then_etag=\"b\"&ifmatch=0"
                                    "&cut=100"));
    assert_reads(file, 990, 10);
    assert_read_fails(file, 500, 500, STOA_CONFLICT, "its ETag was \"v1\" and is \"b\"");
    stoa_file_close(file);
}

static void a_weak_tag_is_no_condition(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=1000&id=weak&etag=W/\"a\"&modified=Sun,+06+"
                                               "Nov+1994+08:49:37+GMT"));
    assert_reads(file, 10, 500);
    stoa_file_close(file);
    assert_int_equal(count_of("weak", "GET bytes=10-509 - "), 1);
    file = open_file(url_at(&world, "/f?size=1000&id=strong"));
    assert_reads(file, 10, 500);
    stoa_file_close(file);
    assert_int_equal(count_of("strong", "GET bytes=10-509 \"v1\" "), 1);
}

static void an_answer_to_another_range_is_refused(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=100000&id=shift&shift=7&after=1"));
    assert_read_fails(file, 1000, 500, STOA_IO,
                      "asked for bytes 1000 to 1499 and answers bytes 1007 to 1506");
    stoa_file_close(file);
    /* Fewer bytes than asked are legal: the rest is asked for again. */
    file = open_file(url_at(&world, "/f?size=100000&id=short&short=100&after=1&times=1"));
    assert_reads(file, 1000, 50000);
    stoa_file_close(file);
}

static void head_may_be_refused(void **state) {
    (void)state;
    static const int statuses[] = {403, 405, 501};
    for (size_t i = 0; i < 3; i++) {
        uint64_t size = 0;
        stoa_file *file = open_file(url_at(&world, "/f?size=1000&nohead=%d", statuses[i]));
        assert_ok(stoa_file_size(file, &size, &world.err), world.err);
        assert_int_equal(size, 1000);
        assert_reads(file, 100, 900);
        stoa_file_close(file);
    }
    stoa_file_close(open_file(url_at(&world, "/f?size=0&nohead=405")));
}

static void without_ranges_a_small_file_is_read_anywhere(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=3000000&ranges=0&id=whole"));
    assert_reads(file, 2000000, 1000);
    assert_reads(file, 0, 1000);
    assert_reads(file, 2999000, 1000);
    assert_reads(file, 0, 3000000);
    assert_read_fails(file, 2999000, 1001, STOA_CORRUPT, "ends after 1000");
    stoa_file_close(file);
    assert_int_equal(count_of("whole", "GET -"), 1);
}

static void without_ranges_a_large_file_is_read_in_order(void **state) {
    (void)state;
    enum { SIZE = 80 << 20, STEP = 1 << 20 };
    stoa_file *file = open_file(url_at(&world, "/f?size=%d&ranges=0", SIZE));
    for (uint64_t offset = 0; offset < SIZE; offset += STEP) {
        assert_reads(file, offset, STEP);
    }
    assert_read_fails(file, 1000, 10, STOA_UNSUPPORTED, "can only be read in order: at byte");
    assert_reads(file, 0, 1000);
    assert_reads(file, 1000, 1000);
    stoa_file_close(file);
    /* The same where the pool has no room to hold even what could be held. */
    stoa_pool *small = NULL;
    assert_ok(stoa_pool_create_child(world.pool, "small", 2 << 20, &small, &world.err), world.err);
    world.context.pool = small;
    file = open_file(url_at(&world, "/f?size=%d&ranges=0", 8 << 20));
    for (uint64_t offset = 0; offset < 8 << 20; offset += 100000) {
        assert_reads(file, offset, (8 << 20) - offset < 100000 ? (8 << 20) - offset : 100000);
    }
    stoa_file_close(file);
    stoa_pool_close(small);
}

static void a_file_of_unknown_length_is_read_to_its_end(void **state) {
    (void)state;
    static const char *const plans[] = {"chunked=1", "close=1"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t size = 0;
        stoa_buffer bytes;
        const char *uri = url_at(&world, "/f?size=1000000&ranges=0&%s", plans[i]);
        assert_ok(stoa_vfs_read_all(registry, uri, NULL, 2000000, world.pool, &bytes, &world.err),
                  world.err);
        assert_int_equal(bytes.size, 1000000);
        assert_content(bytes.data, 0, bytes.size);
        stoa_buffer_release(&bytes);
        stoa_file *file = open_file(uri);
        assert_reads(file, 0, 1000);
        assert_ok(stoa_file_size(file, &size, &world.err), world.err);
        assert_int_equal(size, 1000000);
        assert_reads(file, 999000, 1000);
        stoa_file_close(file);
    }
}

static void a_body_in_order_that_breaks_is_begun_again(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=300000&ranges=0&id=again&cut=100000&after=2"
                                               "&times=2"));
    assert_reads(file, 0, 300000);
    stoa_file_close(file);
    /* Without a version nobody can say that the second body is the first. */
    file = open_file(url_at(&world, "/f?size=300000&ranges=0&id=again2&cut=100000&after=1&times=2"
                                    "&etag=-&chunked=1"));
    assert_read_fails(file, 0, 300000, STOA_IO, NULL);
    stoa_file_close(file);
    file = open_file(url_at(&world, "/f?size=300000&ranges=0&id=again3&after=2&then_etag=\"b\""));
    assert_read_fails(file, 0, 300000, STOA_CONFLICT, "its ETag was");
    stoa_file_close(file);
}

static void where_redirects_lead_is_remembered(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?id=hop&redirect=/f%%3Fid=far%%26size=100000"));
    assert_reads(file, 0, 100);
    assert_reads(file, 50000, 100);
    stoa_file_close(file);
    assert_int_equal(count_of("hop", "HEAD"), 1);
    assert_int_equal(count_of("hop", "GET"), 0);
    /* It held for a time: then the way is asked for again. */
    file = open_file(url_at(&world, "/f?id=hop2&redirect=/f%%3Fid=far2%%26size=100000%%26status=403"
                                    "%%26after=1%%26times=1"));
    assert_reads(file, 0, 100);
    stoa_file_close(file);
    assert_int_equal(count_of("hop2", "GET"), 1);
    assert_open_fails(url_at(&world, "/f?loop=1"), STOA_IO, "redirects more than 10 times");
}

static void credentials_go_to_their_origin_alone(void **state) {
    (void)state;
    char origin[64];
    const char *header = "X-Token: mine";
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%d", world.server.port);
    stoa_http_fs_options options = {.origin = origin,
                                    .bearer = "abc",
                                    .headers = &header,
                                    .header_count = 1};
    open_registry(&options);
    stoa_file *file = open_file(url_at(&world, "/f?size=1000&bearer=abc&id=bearer"));
    assert_reads(file, 0, 1000);
    stoa_file_close(file);
    assert_int_equal(count_of("bearer", "Bearer abc X-Token:mine"), 2);
    char elsewhere[URL_BYTES];
    (void)snprintf(elsewhere, sizeof elsewhere, "http://localhost:%d/f?size=1000&id=elsewhere",
                   world.server.port);
    stoa_file_close(open_file(elsewhere));
    assert_int_equal(count_of("elsewhere", "HEAD - - - - #"), 1);
    options = (stoa_http_fs_options){.origin = origin, .user = "me", .password = "p"};
    open_registry(&options);
    stoa_file_close(open_file(url_at(&world, "/f?size=1000&basic=me:p")));
    options = (stoa_http_fs_options){.bearer = "abc"};
    assert_fails(stoa_fs_register_http(registry, &options, &world.err), STOA_INVALID, "origin",
                 world.err);
    options = (stoa_http_fs_options){.origin = origin, .bearer = "abc\r\nX: y"};
    assert_fails(stoa_fs_register_http(registry, &options, &world.err), STOA_INVALID,
                 "control character", world.err);
}

static void the_environment_gives_credentials(void **state) {
    (void)state;
    char origin[64];
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%d", world.server.port);
    assert_int_equal(setenv("STOA_HTTP_BEARER", "abc", 1), 0);
    open_registry(NULL);
    assert_open_fails(url_at(&world, "/f?size=1&bearer=abc"), STOA_INVALID, "STOA_HTTP_ORIGIN");
    assert_int_equal(setenv("STOA_HTTP_ORIGIN", origin, 1), 0);
    open_registry(NULL);
    stoa_file_close(open_file(url_at(&world, "/f?size=1&bearer=abc")));
    assert_int_equal(unsetenv("STOA_HTTP_BEARER"), 0);
    assert_int_equal(unsetenv("STOA_HTTP_ORIGIN"), 0);
}

static void a_uri_may_bring_its_user(void **state) {
    (void)state;
    char uri[URL_BYTES];
    (void)snprintf(uri, sizeof uri,
                   "http://me:p%%40ss%%20w@127.0.0.1:%d/f?size=10&basic=me:p%%40ss+w",
                   world.server.port);
    stoa_file *file = open_file(uri);
    assert_null(strstr(stoa_file_uri(file), "p%40ss%20w"));
    assert_reads(file, 0, 10);
    assert_read_fails(file, 5, 10, STOA_CORRUPT, "me:***@127.0.0.1");
    stoa_file_close(file);
    (void)snprintf(uri, sizeof uri, "http://me:hidden@127.0.0.1:%d/missing?x-sig=hidden",
                   world.server.port);
    assert_open_fails(uri, STOA_NOT_FOUND, "me:***@127.0.0.1");
    assert_null(strstr(world.err.message, "hidden"));
    assert_null(strstr(world.err.file, "hidden"));
}

/* The server echoes the path that it was asked for. */
static void assert_asks(const char *path, const char *wanted) {
    stoa_buffer bytes;
    char expected[URL_BYTES];
    assert_ok(stoa_vfs_read_all(registry, url_at(&world, "/echo/%s", path), NULL, URL_BYTES,
                                world.pool, &bytes, &world.err),
              world.err);
    (void)snprintf(expected, sizeof expected, "/echo/%s", wanted);
    assert_int_equal(bytes.size, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.size);
    stoa_buffer_release(&bytes);
}

static void names_are_encoded_once(void **state) {
    (void)state;
    assert_asks("a b.csv", "a%20b.csv");
    assert_asks("a%20b%zz%4", "a%20b%25zz%254");
    assert_asks("a+b=c&d;e,f@g:h", "a+b=c&d;e,f@g:h");
    assert_asks("gr\xc3\xbc\xc3\x9f", "gr%C3%BC%C3%9F");
    assert_asks("\"<>\\^`{|}\n", "%22%3C%3E%5C%5E%60%7B%7C%7D%0A");
    assert_asks("a/../b/./c//d", "a/../b/./c//d");
    assert_asks("x?y=z w&v=%41", "x?y=z%20w&v=%41");
    assert_asks("part#fragment", "part");
    assert_open_fails("http:/host", STOA_INVALID, "expected http://host/path");
    assert_open_fails("https://", STOA_INVALID, "there is no host");
    assert_open_fails("http://:80/a", STOA_INVALID, "there is no host");
}

static stoa_status count_file(void *user, const char *uri, const stoa_file_info *info,
                              stoa_error *err) {
    (void)uri;
    (void)err;
    *(uint64_t *)user += info->size;
    return STOA_OK;
}

static void what_http_does_not_offer_is_unsupported(void **state) {
    (void)state;
    stoa_file *file = NULL;
    uint64_t size = 0;
    const char *uri = url_at(&world, "/f?size=1000");
    assert_fails(stoa_vfs_open(registry, uri, STOA_OPEN_REPLACE, NULL, &file, &world.err),
                 STOA_UNSUPPORTED, "can only be read", world.err);
    assert_fails(stoa_vfs_remove(registry, uri, NULL, &world.err), STOA_UNSUPPORTED, NULL,
                 world.err);
    assert_fails(stoa_vfs_list(registry, uri, NULL, NULL, NULL, &world.err), STOA_UNSUPPORTED,
                 "does not offer it", world.err);
    /* '?' begins a query here, and '[' is a letter like any other. */
    assert_ok(stoa_vfs_glob(registry, uri, NULL, world.pool, count_file, &size, &world.err),
              world.err);
    assert_int_equal(size, 1000);
    assert_ok(stoa_vfs_glob(registry, url_at(&world, "/f[1]?size=7&a[]=1"), NULL, world.pool,
                            count_file, &size, &world.err),
              world.err);
    assert_int_equal(size, 1007);
    assert_fails(stoa_vfs_glob(registry, url_at(&world, "/*.csv"), NULL, world.pool, count_file,
                               &size, &world.err),
                 STOA_UNSUPPORTED, "no pattern", world.err);
}

static void an_encoding_is_left_as_it_is(void **state) {
    (void)state;
    stoa_file *file = open_file(url_at(&world, "/f?size=10000&encoding=gzip"));
    assert_reads(file, 0, 10000);
    stoa_file_close(file);
}

static void *trigger_soon(void *user) {
    struct timespec pause = {0, 50000000};
    (void)nanosleep(&pause, NULL);
    stoa_cancel_trigger(user);
    return NULL;
}

static void a_token_ends_a_read_that_waits(void **state) {
    (void)state;
    static const char *const plans[] = {"", "&ranges=0", "&status=503&retry_after=20"};
    for (size_t i = 0; i < 3; i++) {
        pthread_t thread;
        const char *uri = url_at(&world, "/f?size=1000&id=token%zu&after=1&%s%s", i,
                                 i == 2 ? "" : "hang=1", plans[i]);
        stoa_http_fs_options options = {.stall_timeout_ms = 600000};
        open_registry(&options);
        assert_ok(stoa_cancel_create(NULL, &world.context.cancel, &world.err), world.err);
        stoa_file *file = open_file(uri);
        assert_int_equal(pthread_create(&thread, NULL, trigger_soon, world.context.cancel), 0);
        assert_read_fails(file, 0, 1000, STOA_CANCELLED, "by request");
        assert_int_equal(pthread_join(thread, NULL), 0);
        stoa_file_close(file);
        stoa_cancel_close(world.context.cancel);
        world.context.cancel = NULL;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_file_has_size_time_and_version),
        TEST(ranges_are_read_where_they_lie),
        TEST(a_long_read_comes_in_parts_side_by_side),
        TEST(small_reads_in_order_are_gathered),
        TEST(scattered_reads_fetch_no_more_than_they_need),
        TEST(ranges_that_lie_close_are_one_request),
        TEST(a_broken_body_goes_on_where_it_broke),
        TEST(progress_renews_the_attempts),
        TEST(statuses_of_the_moment_are_tried_again),
        TEST(attempts_come_to_an_end),
        TEST(what_is_refused_is_said_once),
        TEST(a_change_under_the_reader_is_an_error),
        TEST(a_weak_tag_is_no_condition),
        TEST(an_answer_to_another_range_is_refused),
        TEST(head_may_be_refused),
        TEST(without_ranges_a_small_file_is_read_anywhere),
        TEST(without_ranges_a_large_file_is_read_in_order),
        TEST(a_file_of_unknown_length_is_read_to_its_end),
        TEST(a_body_in_order_that_breaks_is_begun_again),
        TEST(where_redirects_lead_is_remembered),
        TEST(credentials_go_to_their_origin_alone),
        TEST(the_environment_gives_credentials),
        TEST(a_uri_may_bring_its_user),
        TEST(names_are_encoded_once),
        TEST(what_http_does_not_offer_is_unsupported),
        TEST(an_encoding_is_left_as_it_is),
        TEST(a_token_ends_a_read_that_waits),
    };
    return cmocka_run_group_tests(tests, open_group, close_group);
}
