/* The transport of HTTP against a server that misbehaves on demand: bodies, statuses, redirects,
 * broken connections, limits, tokens. */
#include "http_world.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"

static struct http_world world;

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
    stoa_http_options options = {.stall_timeout_ms = 300, .connect_timeout_ms = 2000};
    *state = &world;
    world.err = (stoa_error)STOA_ERROR_NONE;
    world.pool = support_pool_open();
    world.context = (stoa_context){.pool = world.pool};
    assert_ok(stoa_http_client_create(world.pool, &options, &world.client, &world.err), world.err);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    stoa_http_client_close(world.client);
    support_pool_close(world.pool);
    return 0;
}

static stoa_status perform(const stoa_http_request *request, stoa_http_response *response) {
    return stoa_http_perform(world.client, request, 1, response, NULL, NULL, &world.context,
                             &world.err);
}

static stoa_http_request get(const char *url) {
    return (stoa_http_request){.method = "GET", .url = url, .body_limit = 4 << 20};
}

static void release(stoa_http_response *response) {
    stoa_http_response_release(response, world.pool);
}

static void assert_answers(const stoa_http_request *request, int32_t status, const char *body) {
    stoa_http_response response;
    assert_ok(perform(request, &response), world.err);
    assert_int_equal(response.status_code, status);
    assert_int_equal(response.body.size, strlen(body));
    assert_memory_equal(response.body.data, body, response.body.size);
    release(&response);
}

static void a_body_comes_whole_with_its_headers(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?size=3000000&modified=Thu, 01 Jan 2026"));
    request.url = url_at(&world, "/f?size=3000000&modified=Thu%%2C+01+Jan+2026+00:00:00+GMT");
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 200);
    assert_int_equal(response.received, 3000000);
    assert_int_equal(response.body.size, 3000000);
    assert_content(response.body.data, 0, response.body.size);
    assert_string_equal(stoa_http_header(&response, "etag"), "\"v1\"");
    assert_string_equal(stoa_http_header(&response, "last-modified"),
                        "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_null(stoa_http_header(&response, "eta"));
    assert_null(response.final_url);
    release(&response);
    release(&response);
}

static void many_ranges_fill_one_buffer_side_by_side(void **state) {
    enum { PARTS = 40, PART = 100000 };
    (void)state;
    stoa_http_request requests[PARTS];
    stoa_http_response responses[PARTS];
    stoa_status statuses[PARTS];
    static char ranges[PARTS][64];
    const char *headers[PARTS];
    uint8_t *buffer = test_malloc((size_t)PARTS * PART);
    for (int i = 0; i < PARTS; i++) {
        (void)snprintf(ranges[i], sizeof ranges[i], "Range: bytes=%d-%d", i * PART,
                       (i + 1) * PART - 1);
        headers[i] = ranges[i];
        requests[i] = get(url_at(&world, "/f?size=%d", PARTS * PART));
        requests[i].headers = &headers[i];
        requests[i].header_count = 1;
        requests[i].wanted_status = 206;
        requests[i].buffer = buffer + (size_t)i * PART;
        requests[i].buffer_size = PART;
    }
    const char *url = url_at(&world, "/f?size=%d", PARTS * PART);
    for (int i = 0; i < PARTS; i++) {
        requests[i].url = url;
    }
    assert_ok(stoa_http_perform(world.client, requests, PARTS, responses, statuses, NULL,
                                &world.context, &world.err),
              world.err);
    assert_content(buffer, 0, (size_t)PARTS * PART);
    for (int i = 0; i < PARTS; i++) {
        assert_int_equal(statuses[i], STOA_OK);
        assert_int_equal(responses[i].status_code, 206);
        assert_int_equal(responses[i].received, PART);
        release(&responses[i]);
    }
    test_free(buffer);
}

static void a_connection_is_kept_between_calls(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        stoa_http_request request = get(url_at(&world, "/echo?id=kept"));
        assert_answers(&request, 200, "/echo?id=kept");
    }
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/log?of=kept"));
    const char *text = NULL;
    /* The same connection number stands at the end of each line. */
    request.url = url_at(&world, "/f?id=kept");
    assert_ok(perform(&request, &response), world.err);
    release(&response);
    request.url = url_at(&world, "/log?of=kept");
    assert_ok(perform(&request, &response), world.err);
    assert_ok(stoa_buffer_text(&response.body, &text, &world.err), world.err);
    const char *first = strchr(text, '#'), *last = strrchr(text, '#');
    assert_non_null(first);
    assert_ptr_not_equal(first, last);
    assert_int_equal(strncmp(first, last, strlen(last)), 0);
    release(&response);
}

static void a_body_is_sent(void **state) {
    (void)state;
    size_t size = 1500000;
    char expected[64];
    uint64_t sum = 0;
    uint8_t *bytes = test_malloc(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(i);
        sum += bytes[i];
    }
    stoa_http_request request = {.method = "PUT",
                                 .url = url_at(&world, "/f"),
                                 .body = bytes,
                                 .body_size = size};
    (void)snprintf(expected, sizeof expected, "PUT %zu %llu", size, (unsigned long long)sum);
    assert_answers(&request, 200, expected);
    request.method = "POST";
    request.body = NULL;
    request.body_size = 0;
    assert_answers(&request, 200, "POST 0 0");
    request.method = "DELETE";
    assert_answers(&request, 200, "DELETE 0 0");
    test_free(bytes);
}

static void a_failure_status_is_an_answer(void **state) {
    (void)state;
    char buffer[10] = "untouched";
    stoa_http_request request = get(url_at(&world, "/f?status=503&retry_after=7"));
    stoa_http_response response;
    request.buffer = buffer;
    request.buffer_size = sizeof buffer;
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 503);
    assert_memory_equal(response.body.data, "no: 503", 7);
    assert_string_equal(stoa_http_header(&response, "retry-after"), "7");
    assert_string_equal(buffer, "untouched");
    assert_int_equal(response.received, 0);
    release(&response);
}

static void what_was_not_wanted_is_not_read_to_its_end(void **state) {
    (void)state;
    char buffer[100];
    const char *range = "Range: bytes=0-99";
    stoa_http_request request = get(url_at(&world, "/f?size=900000000&ranges=0"));
    stoa_http_response response;
    request.buffer = buffer;
    request.buffer_size = sizeof buffer;
    request.wanted_status = 206;
    request.headers = &range;
    request.header_count = 1;
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 200);
    assert_int_equal(response.body.size, 65536);
    release(&response);
}

static void a_body_that_is_cut_says_how_much_came(void **state) {
    (void)state;
    char buffer[1000];
    stoa_http_response response;
    static const char *const plans[] = {"cut=600", "reset=600", "cut=600&chunked=1",
                                        "cut=600&close=1"};
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        stoa_http_request request = get(url_at(&world, "/f?size=1000&%s", plans[i]));
        request.buffer = buffer;
        request.buffer_size = sizeof buffer;
        assert_fails(perform(&request, &response), STOA_IO, NULL, world.err);
        assert_true(response.is_repeatable);
        assert_true(response.was_sent);
        assert_int_equal(response.status_code, 200);
        assert_int_equal(response.received, 600);
        assert_content(buffer, 0, 600);
        release(&response);
    }
}

static void a_body_of_another_size_is_an_error(void **state) {
    (void)state;
    char buffer[1000];
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?size=1001"));
    request.buffer = buffer;
    request.buffer_size = sizeof buffer;
    assert_fails(perform(&request, &response), STOA_IO, "more than the 1000 bytes", world.err);
    assert_false(response.is_repeatable);
    release(&response);
    request.url = url_at(&world, "/f?size=999");
    assert_fails(perform(&request, &response), STOA_IO, "expected 1000 bytes but 999 came",
                 world.err);
    release(&response);
    request = get(url_at(&world, "/f?size=1001"));
    request.body_limit = 1000;
    assert_fails(perform(&request, &response), STOA_LIMIT, "limit of 1000", world.err);
    release(&response);
}

static void an_answer_without_its_headers_is_no_answer(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?size=0&cut_headers=1"));
    assert_fails(perform(&request, &response), STOA_IO, NULL, world.err);
    assert_true(response.is_repeatable);
    release(&response);
    request = get(url_at(&world, "/f?size=10&header=300000"));
    assert_fails(perform(&request, &response), STOA_IO, NULL, world.err);
    assert_false(response.is_repeatable);
    release(&response);
}

static void nobody_there_is_said_so(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get("http://127.0.0.1:1/f");
    assert_fails(perform(&request, &response), STOA_IO, "connect", world.err);
    assert_true(response.is_repeatable);
    assert_false(response.was_sent);
    assert_int_equal(response.status_code, 0);
    release(&response);
    request.url = "http://no-such-host.invalid/f";
    assert_fails(perform(&request, &response), STOA_IO, "no-such-host.invalid", world.err);
    release(&response);
    request.url = "ftp://127.0.0.1/f";
    assert_fails(perform(&request, &response), STOA_UNSUPPORTED, "ftp", world.err);
    release(&response);
    request.url = "http://";
    assert_fails(perform(&request, &response), STOA_INVALID, NULL, world.err);
    release(&response);
}

static void a_silent_server_is_given_up(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?hang=1"));
    assert_fails(perform(&request, &response), STOA_IO, "sent nothing for 300 ms", world.err);
    assert_true(response.is_repeatable);
    assert_true(response.was_sent);
    release(&response);
    /* Slow is not silent: 1,000 bytes at 100 each 100 ms take longer than the limit. */
    request.url = url_at(&world, "/f?size=1000&drip=100,100");
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.received, 1000);
    release(&response);
}

static void one_failure_leaves_the_others_alone(void **state) {
    (void)state;
    stoa_http_request requests[] = {get(url_at(&world, "/echo/1")), get("http://127.0.0.1:1/"),
                                    get(url_at(&world, "/echo/3"))};
    stoa_http_response responses[3];
    stoa_status statuses[3];
    stoa_error errors[3];
    assert_fails(stoa_http_perform(world.client, requests, 3, responses, statuses, errors,
                                   &world.context, &world.err),
                 STOA_IO, "connect", world.err);
    assert_int_equal(statuses[0], STOA_OK);
    assert_int_equal(statuses[1], STOA_IO);
    assert_int_equal(statuses[2], STOA_OK);
    assert_non_null(strstr(errors[1].message, "connect"));
    for (int i = 0; i < 3; i++) {
        release(&responses[i]);
    }
}

static void redirects_are_followed_to_an_end(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?redirect=/echo/there"));
    request.follows_redirects = true;
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 200);
    assert_memory_equal(response.body.data, "/echo/there", 11);
    assert_string_equal(response.final_url, url_at(&world, "/echo/there"));
    release(&response);
    request.url = url_at(&world, "/f?loop=1");
    assert_fails(perform(&request, &response), STOA_IO, "more than 10 times", world.err);
    assert_false(response.is_repeatable);
    release(&response);
    request.url = url_at(&world, "/f?redirect=file:///etc/hostname");
    assert_fails(perform(&request, &response), STOA_IO, "another protocol", world.err);
    release(&response);
    request.url = url_at(&world, "/f?redirect=/echo/there");
    request.follows_redirects = false;
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 302);
    release(&response);
}

/* "localhost" is another host than "127.0.0.1", whatever it resolves to. */
static void secrets_stay_with_their_host(void **state) {
    (void)state;
    stoa_http_response response;
    const char *headers[] = {"Authorization: Bearer secret", "X-Token: secret", "Range: bytes=0-1"};
    stoa_http_request request = get(
        url_at(&world, "/f?redirect=http://localhost:%d/f%%3Fid=abroad%%26size=9",
               world.server.port));
    request.headers = headers;
    request.header_count = 3;
    request.follows_redirects = true;
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 206);
    release(&response);
    request.url = url_at(&world, "/f?redirect=/f%%3Fid=abroad%%26size=9");
    assert_ok(perform(&request, &response), world.err);
    release(&response);
    /* A later request that begins where the redirect led is treated the same. */
    char start[URL_BYTES];
    (void)snprintf(start, sizeof start, "http://localhost:%d/f?id=abroad&size=9",
                   world.server.port);
    request.start_url = start;
    request.user = "me";
    request.password = "secret";
    assert_ok(perform(&request, &response), world.err);
    release(&response);
    const char *text = NULL;
    request = get(url_at(&world, "/log?of=abroad"));
    assert_ok(perform(&request, &response), world.err);
    assert_ok(stoa_buffer_text(&response.body, &text, &world.err), world.err);
    assert_int_equal(strncmp(text, "GET bytes=0-1 - - - #", 21), 0);
    text = strchr(text, '\n') + 1;
    assert_int_equal(strncmp(text, "GET bytes=0-1 - - Bearer secret X-Token:secret #", 48), 0);
    text = strchr(text, '\n') + 1;
    assert_int_equal(strncmp(text, "GET bytes=0-1 - - - #", 21), 0);
    release(&response);
}

static void basic_authentication_is_sent_at_once(void **state) {
    (void)state;
    stoa_http_request request = get(url_at(&world, "/echo?basic=me:a%%20b"));
    request.url = url_at(&world, "/f?size=0&basic=me:a%%20b");
    stoa_http_response response;
    request.user = "me";
    request.password = "a b";
    assert_answers(&request, 200, "");
    request.password = "wrong";
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.status_code, 401);
    release(&response);
}

static void encodings_are_not_undone(void **state) {
    (void)state;
    stoa_http_response response;
    stoa_http_request request = get(url_at(&world, "/f?size=1000&encoding=gzip"));
    assert_ok(perform(&request, &response), world.err);
    assert_int_equal(response.received, 1000);
    assert_content(response.body.data, 0, 1000);
    release(&response);
}

static void *trigger_soon(void *user) {
    struct timespec pause = {0, 50000000};
    (void)nanosleep(&pause, NULL);
    stoa_cancel_trigger(user);
    return NULL;
}

static void a_token_ends_a_call_that_waits(void **state) {
    (void)state;
    pthread_t thread;
    stoa_http_request requests[] = {get(url_at(&world, "/f?hang=1")), get(url_at(&world, "/echo"))};
    stoa_http_response responses[2];
    stoa_status statuses[2];
    stoa_http_options options = {.stall_timeout_ms = 600000};
    stoa_http_client_close(world.client);
    assert_ok(stoa_http_client_create(world.pool, &options, &world.client, &world.err), world.err);
    assert_ok(stoa_cancel_create(NULL, &world.context.cancel, &world.err), world.err);
    assert_int_equal(pthread_create(&thread, NULL, trigger_soon, world.context.cancel), 0);
    assert_fails(stoa_http_perform(world.client, requests, 2, responses, statuses, NULL,
                                   &world.context, &world.err),
                 STOA_CANCELLED, "by request", world.err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(statuses[0], STOA_CANCELLED);
    for (int i = 0; i < 2; i++) {
        release(&responses[i]);
    }
    assert_fails(perform(requests, responses), STOA_CANCELLED, "by request", world.err);
    release(responses);
    stoa_cancel_close(world.context.cancel);
}

static void a_tight_budget_runs_fewer_at_a_time(void **state) {
    (void)state;
    enum { PARTS = 8 };
    stoa_http_request requests[PARTS];
    stoa_http_response responses[PARTS];
    stoa_pool *small = NULL;
    assert_ok(stoa_pool_create_child(world.pool, "small", 600 << 10, &small, &world.err),
              world.err);
    stoa_context context = {.pool = small};
    for (int i = 0; i < PARTS; i++) {
        requests[i] = get(url_at(&world, "/f?size=1000&n=%d", i));
    }
    assert_ok(stoa_http_perform(world.client, requests, PARTS, responses, NULL, NULL, &context,
                                &world.err),
              world.err);
    for (int i = 0; i < PARTS; i++) {
        assert_int_equal(responses[i].received, 1000);
        stoa_http_response_release(&responses[i], small);
    }
    stoa_pool_close(small);
    assert_ok(stoa_pool_create_child(world.pool, "tiny", 1000, &small, &world.err), world.err);
    context.pool = small;
    assert_fails(stoa_http_perform(world.client, requests, 1, responses, NULL, NULL, &context,
                                   &world.err),
                 STOA_LIMIT, "tiny", world.err);
    stoa_http_response_release(responses, small);
    stoa_pool_close(small);
}

static void options_out_of_range_are_refused(void **state) {
    (void)state;
    stoa_http_client *client = NULL;
    stoa_http_options options = {.connections = 65};
    assert_fails(stoa_http_client_create(world.pool, &options, &client, &world.err), STOA_INVALID,
                 "64 connections but found 65", world.err);
    options = (stoa_http_options){.stall_timeout_ms = -1};
    assert_fails(stoa_http_client_create(world.pool, &options, &client, &world.err), STOA_INVALID,
                 "timeout", world.err);
    assert_null(client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_body_comes_whole_with_its_headers),
        TEST(many_ranges_fill_one_buffer_side_by_side),
        TEST(a_connection_is_kept_between_calls),
        TEST(a_body_is_sent),
        TEST(a_failure_status_is_an_answer),
        TEST(what_was_not_wanted_is_not_read_to_its_end),
        TEST(a_body_that_is_cut_says_how_much_came),
        TEST(a_body_of_another_size_is_an_error),
        TEST(an_answer_without_its_headers_is_no_answer),
        TEST(nobody_there_is_said_so),
        TEST(a_silent_server_is_given_up),
        TEST(one_failure_leaves_the_others_alone),
        TEST(redirects_are_followed_to_an_end),
        TEST(secrets_stay_with_their_host),
        TEST(basic_authentication_is_sent_at_once),
        TEST(encodings_are_not_undone),
        TEST(a_token_ends_a_call_that_waits),
        TEST(a_tight_budget_runs_fewer_at_a_time),
        TEST(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, open_group, close_group);
}
