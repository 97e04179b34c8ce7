/* S3 when things go wrong: refusals, lost answers, cut bodies, redirects, other clocks. The server of
 * the tests does each on purpose. Every failure names the URI and S3's own word for it, nothing is
 * half written, and no secret is ever told. */
#include "s3_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/s3.h"

enum { PART = 5 << 20 };

static int open_world(void **state) {
    s3_world *world = test_calloc(1, sizeof *world);
    s3_world_open(world, NULL);
    world->options.part_bytes = PART;
    s3_world_register(world, "s3");
    *state = world;
    return 0;
}

static int close_world(void **state) {
    s3_world *world = *state;
    s3_world_close(world);
    test_free(world);
    return 0;
}

static uint8_t *random_bytes(size_t size) {
    support_random random = {9};
    uint8_t *bytes = test_malloc(size);
    support_random_bytes(&random, bytes, size);
    return bytes;
}

static stoa_status put_if(s3_world *world, const char *name, const char *expected, const char *text,
                          char version[64]) {
    return stoa_vfs_put_if(world->registry, s3_world_at(world, name), NULL, expected, text,
                           strlen(text), version, &world->err);
}

static stoa_status try_write(s3_world *world, const char *name, stoa_open_mode mode,
                             const void *bytes, size_t size) {
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(world->registry, s3_world_at(world, name), mode, NULL, &file,
                                       &world->err);
    if (status == STOA_OK) {
        status = stoa_file_write(file, bytes, size, &world->err);
    }
    if (status == STOA_OK) {
        status = stoa_file_sync(file, &world->err);
    }
    stoa_file_close(file);
    return status;
}

static stoa_status try_read(s3_world *world, const char *name, stoa_buffer *bytes) {
    return stoa_vfs_read_all(world->registry, s3_world_at(world, name), NULL, 64 << 20, world->pool,
                             bytes, &world->err);
}

static void what_passes_is_tried_again(void **state) {
    s3_world *world = *state;
    static const char *const faults[] = {
        "2 0 * . status 503:SlowDown\n",
        "1 0 * . status 500:InternalError\n",
        "1 0 * . status 429:TooManyRequests\n",
        "1 0 PUT . status 400:RequestTimeout\n1 0 GET . status 400:RequestTimeout\n",
        "1 0 * . reset\n",
        "1 0 * . lost\n",
        "1 0 PUT . status 409:OperationAborted\n1 0 GET . status 409:OperationAborted\n",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        s3_world_plan(world, faults[i]);
        s3_world_put(world, "f", "text", 4);
        s3_world_plan(world, faults[i]);
        s3_world_assert_holds(world, "f", "text", 4);
    }
    s3_world_plan(world, "1 0 GET . cut 2\n");
    s3_world_assert_holds(world, "f", "text", 4);
    assert_int_equal(s3_world_count(world, "GET "), 2);
}

static void what_does_not_pass_is_told_with_its_name(void **state) {
    s3_world *world = *state;
    stoa_file_info info;
    stoa_buffer bytes;
    s3_world_put(world, "f", "text", 4);
    s3_world_plan(world, "99 0 GET . status 503:SlowDown\n");
    assert_fails(try_read(world, "f", &bytes), STOA_IO, "503 SlowDown", world->err);
    assert_non_null(strstr(world->err.message, s3_world_at(world, "f")));
    assert_non_null(strstr(world->err.message, "after 5 attempts"));
    assert_int_equal(s3_world_count(world, "GET "), 5);
    s3_world_plan(world, "99 0 GET . cut 1\n");
    assert_fails(try_read(world, "f", &bytes), STOA_IO, s3_world_at(world, "f"), world->err);
    s3_world_plan(world, "");
    assert_fails(stoa_vfs_stat(world->registry, "s3://nobucket/f", NULL, &info, &world->err),
                 STOA_NOT_FOUND, "NoSuchBucket", world->err);
    assert_fails(try_write(world, "../../nobucket/f", STOA_OPEN_READ, "", 0), STOA_NOT_FOUND,
                 "no such object", world->err);
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->registry, "s3://nobucket/f", STOA_OPEN_REPLACE, NULL, &file,
                            &world->err),
              world->err);
    assert_fails(stoa_file_sync(file, &world->err), STOA_NOT_FOUND, "NoSuchBucket", world->err);
    stoa_file_close(file);
}

static void denied(s3_world *world, const char *code) {
    stoa_buffer bytes;
    stoa_file_info info;
    s3_world_register(world, "s3");
    assert_fails(stoa_vfs_stat(world->registry, s3_world_at(world, "f"), NULL, &info, &world->err),
                 STOA_IO, code, world->err);
    assert_null(strstr(world->err.message, "ecret"));
    assert_fails(try_read(world, "f", &bytes), STOA_IO, code, world->err);
    assert_fails(try_write(world, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, code, world->err);
    assert_non_null(strstr(world->err.message, s3_world_at(world, "f")));
    assert_fails(stoa_vfs_remove(world->registry, s3_world_at(world, "f"), NULL, &world->err),
                 STOA_IO, code, world->err);
    assert_null(strstr(world->err.message, "not-the-one"));
}

static void wrong_keys_are_told_apart(void **state) {
    s3_world *world = *state;
    s3_world_put(world, "f", "text", 4);
    world->options.secret_access_key = "not-the-one";
    denied(world, "SignatureDoesNotMatch");
    world->options.access_key_id = "nobody";
    denied(world, "InvalidAccessKeyId");
    world->options.is_anonymous = true;
    world->options.access_key_id = world->options.secret_access_key = NULL;
    denied(world, "AccessDenied");
}

static void who_may_write_but_not_look_can_create(void **state) {
    s3_world *world = *state;
    static const char denied[] = "9 0 HEAD . status 403:AccessDenied\n"
                                 "9 0 GET . status 403:AccessDenied\n";
    s3_world_plan(world, denied);
    assert_ok(try_write(world, "f", STOA_OPEN_CREATE, "x", 1), world->err);
    assert_true(try_write(world, "f", STOA_OPEN_CREATE, "y", 1) != STOA_OK);
    s3_world_plan(world, "");
    s3_world_assert_holds(world, "f", "x", 1);
}

static void settings_that_are_missing_are_no_missing_objects(void **state) {
    s3_world *world = *state;
    bool exists = true;
    stoa_file *file = NULL;
    world->options = (stoa_s3_options){.profile = "nobody"};
    s3_world_register(world, "s3");
    assert_fails(stoa_vfs_exists(world->registry, s3_world_at(world, "f"), NULL, &exists,
                                 &world->err),
                 STOA_INVALID, "'nobody'", world->err);
    assert_fails(stoa_vfs_remove_tree(world->registry, s3_world_at(world, "f"), NULL, &world->err),
                 STOA_INVALID, "'nobody'", world->err);
    world->options = (stoa_s3_options)STOA_S3_DEFAULT;
    s3_world_register(world, "s3");
    assert_fails(stoa_vfs_open(world->registry, s3_world_at(world, "f"), STOA_OPEN_REPLACE, NULL,
                               &file, &world->err),
                 STOA_INVALID, "no credentials", world->err);
}

static void another_clock_is_followed(void **state) {
    s3_world *world = *state;
    s3_world_plan(world, "1 0 * . clock 7200\n");
    s3_world_put(world, "f", "text", 4);
    s3_world_assert_holds(world, "f", "text", 4);
    /* Once it is known, nothing is asked twice. */
    s3_world_plan(world, "");
    s3_world_put(world, "g", "text", 4);
    assert_int_equal(s3_world_count(world, "PUT "), 1);
    s3_world_plan(world, "1 0 * . clock -86400\n");
    s3_world_assert_holds(world, "f", "text", 4);
    s3_world_plan(world, "9 0 * . status 403:RequestTimeTooSkewed\n");
    assert_fails(try_write(world, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, "RequestTimeTooSkewed",
                 world->err);
}

static void other_regions_are_found(void **state) {
    s3_world *world = *state;
    world->options.region = "eu-west-1";
    s3_world_register(world, "s3");
    /* The server refuses the signature and names its region; once. */
    s3_world_plan(world, "");
    s3_world_put(world, "f", "text", 4);
    assert_int_equal(s3_world_count(world, "PUT "), 2);
    s3_world_put(world, "g", "text", 4);
    assert_int_equal(s3_world_count(world, "PUT "), 3);
    s3_world_register(world, "s3");
    s3_world_plan(world, "1 0 * . moved us-east-1\n");
    s3_world_assert_holds(world, "f", "text", 4);
    s3_world_plan(world, "1 0 * . redirect SELF\n");
    s3_world_assert_holds(world, "f", "text", 4);
    s3_world_plan(world, "99 0 * . redirect SELF\n");
    assert_fails(try_write(world, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, "redirect", world->err);
    assert_true(s3_world_count(world, "PUT ") < 10);
    s3_world_register(world, "s3");
    world->options.region = "us-east-1";
    s3_world_register(world, "s3");
    s3_world_plan(world, "99 0 * . redirect http://elsewhere.example\n");
    assert_fails(try_write(world, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO,
                 "signed requests do not go", world->err);
    s3_world_plan(world, "99 0 * . moved not/a/region\n");
    assert_fails(try_write(world, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, "PermanentRedirect",
                 world->err);
}

/* The server does it and the answer is lost: what is asked again is refused by our own write. */
static void lost_answers_are_no_conflicts(void **state) {
    s3_world *world = *state;
    static const char *const faults[] = {"1 0 PUT /v lost\n", "1 0 PUT /v late 500:InternalError\n",
                                         "1 0 PUT /v late 503:SlowDown\n"};
    char name[16];
    for (int i = 0; i < 3; i++) {
        char first[64], second[64], third[64];
        (void)snprintf(name, sizeof name, "v%d", i);
        s3_world_plan(world, faults[i]);
        assert_ok(put_if(world, name, "", "one", first), world->err);
        s3_world_plan(world, faults[i]);
        assert_ok(put_if(world, name, first, "two", second), world->err);
        assert_string_not_equal(first, second);
        assert_fails(put_if(world, name, first, "three", third), STOA_CONFLICT, NULL, world->err);
        s3_world_assert_holds(world, name, "two", 3);
        (void)snprintf(name, sizeof name, "v/c%d", i);
        s3_world_plan(world, faults[i]);
        assert_ok(try_write(world, name, STOA_OPEN_CREATE, "x", 1), world->err);
    }
}

static void another_writer_is_a_conflict_even_so(void **state) {
    s3_world *world = *state;
    char version[64];
    assert_ok(put_if(world, "v", "", "theirs", version), world->err);
    /* Nothing of ours was done: the repeated write must not take theirs for its own. */
    s3_world_plan(world, "1 0 PUT . status 500:InternalError\n");
    assert_fails(put_if(world, "v", "", "theirs", version), STOA_CONFLICT, NULL, world->err);
    s3_world_plan(world, "1 0 PUT . reset\n");
    assert_fails(try_write(world, "w", STOA_OPEN_CREATE, "x", 1) == STOA_OK
                     ? put_if(world, "w", "", "y", version)
                     : STOA_OK,
                 STOA_CONFLICT, NULL, world->err);
    s3_world_plan(world, "99 0 PUT . status 409:ConditionalRequestConflict\n");
    assert_fails(put_if(world, "v", "", "x", version), STOA_CONFLICT, NULL, world->err);
}

static void uploads_survive_what_passes(void **state) {
    s3_world *world = *state;
    enum { SIZE = 3 * PART + 17 };
    uint8_t *bytes = random_bytes(SIZE);
    static const char *const faults[] = {
        "1 1 PUT partNumber status 503:SlowDown\n",
        "2 0 PUT partNumber reset\n",
        "1 0 PUT partNumber lost\n",
        "1 0 POST uploadId= lost\n",
        "1 0 POST uploads= status 500:InternalError\n",
        "1 0 POST uploadId= late 500:InternalError\n",
        "1 0 POST uploadId= error200 InternalError\n",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%zu", i);
        s3_world_plan(world, faults[i]);
        assert_ok(try_write(world, name, STOA_OPEN_CREATE, bytes, SIZE), world->err);
        s3_world_plan(world, "");
        s3_world_assert_holds(world, name, bytes, SIZE);
    }
    test_free(bytes);
}

static void uploads_that_fail_are_aborted(void **state) {
    s3_world *world = *state;
    enum { SIZE = 3 * PART };
    uint8_t *bytes = random_bytes(SIZE);
    stoa_buffer none;
    static const char *const faults[] = {
        "99 1 PUT partNumber status 403:AccessDenied\n",
        "99 0 POST uploadId= status 400:InvalidPart\n",
        "99 0 POST uploadId= error200 AccessDenied\n",
        "1 0 PUT partNumber header x-amz-checksum-crc32c:AAAAAA==\n",
    };
    static const char *const words[] = {"AccessDenied", "InvalidPart", "AccessDenied", "checksum"};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        s3_world_plan(world, faults[i]);
        stoa_status status = try_write(world, "f", STOA_OPEN_REPLACE, bytes, SIZE);
        assert_fails(status, i == 3 ? STOA_CORRUPT : STOA_IO, words[i], world->err);
        assert_int_equal(s3_world_count(world, "DELETE /lake/base/f?uploadId="), 1);
        assert_fails(try_read(world, "f", &none), STOA_NOT_FOUND, NULL, world->err);
    }
    test_free(bytes);
}

static void answers_are_not_believed(void **state) {
    s3_world *world = *state;
    stoa_buffer bytes;
    stoa_file_info info;
    static const struct {
        const char *plan;
        stoa_status status;
        const char *words;
    } lies[] = {
        {"9 0 GET . header ETag:\"00000000000000000000000000000000\"\n", STOA_CONFLICT, "changed"},
        {"9 0 GET . flip 1\n", STOA_CORRUPT, "checksum"},
        {"9 0 GET . status 416:InvalidRange\n", STOA_CONFLICT, "changed"},
    };
    s3_world_put(world, "f", "text", 4);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        s3_world_plan(world, lies[i].plan);
        assert_fails(try_read(world, "f", &bytes), lies[i].status, lies[i].words, world->err);
    }
    stoa_file *file = NULL;
    char two[2];
    s3_world_plan(world, "9 0 GET . header Content-Range:bytes_0-1/4\n");
    assert_ok(stoa_vfs_open(world->registry, s3_world_at(world, "f"), STOA_OPEN_READ, NULL, &file,
                            &world->err),
              world->err);
    assert_fails(stoa_file_read(file, 1, two, 2, &world->err), STOA_CORRUPT, "expected the range",
                 world->err);
    stoa_file_close(file);
    static const char *const pages[] = {
        "<",
        "<a/>",
        "",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>other/x</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>base/x</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>base/%00</Key>"
        "</Contents></ListBucketResult>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><ListBucketResult/>",
    };
    char plan[512];
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        (void)snprintf(plan, sizeof plan, "9 0 GET list-type body %s\n", pages[i]);
        s3_world_plan(world, plan);
        assert_fails(stoa_vfs_list_tree(world->registry, world->base, NULL, NULL, NULL,
                                        &world->err),
                     STOA_CORRUPT, world->base, world->err);
    }
    s3_world_plan(world, "9 0 HEAD . header Content-Length:x\n");
    assert_true(stoa_vfs_stat(world->registry, s3_world_at(world, "f"), NULL, &info, &world->err) !=
                STOA_OK);
}

static void a_hung_request_ends_with_its_token(void **state) {
    s3_world *world = *state;
    stoa_buffer bytes;
    stoa_cancel *cancel = NULL;
    s3_world_put(world, "f", "text", 4);
    static const char *const faults[] = {"9 0 GET . hang\n", "9 0 HEAD . hang\n",
                                         "99 0 * . status 503:SlowDown\n"};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        s3_world_plan(world, faults[i]);
        assert_ok(stoa_cancel_create(NULL, &cancel, &world->err), world->err);
        stoa_cancel_set_timeout(cancel, 30);
        const stoa_context context = {.cancel = cancel};
        assert_fails(stoa_vfs_read_all(world->registry, s3_world_at(world, "f"), &context, 100,
                                       world->pool, &bytes, &world->err),
                     STOA_CANCELLED, NULL, world->err);
        stoa_cancel_close(cancel);
    }
}

static void a_hung_upload_ends_with_its_token(void **state) {
    s3_world *world = *state;
    enum { SIZE = 3 * PART };
    uint8_t *bytes = random_bytes(SIZE);
    stoa_cancel *cancel = NULL;
    stoa_file *file = NULL;
    s3_world_plan(world, "9 0 PUT partNumber hang\n");
    assert_ok(stoa_cancel_create(NULL, &cancel, &world->err), world->err);
    const stoa_context context = {.cancel = cancel};
    assert_ok(stoa_vfs_open(world->registry, s3_world_at(world, "f"), STOA_OPEN_REPLACE, &context,
                            &file, &world->err),
              world->err);
    assert_ok(stoa_file_write(file, bytes, SIZE, &world->err), world->err);
    stoa_cancel_trigger(cancel);
    assert_fails(stoa_file_sync(file, &world->err), STOA_CANCELLED, NULL, world->err);
    stoa_file_close(file);
    assert_int_equal(s3_world_count(world, "DELETE /lake/base/f?uploadId="), 1);
    stoa_cancel_close(cancel);
    test_free(bytes);
}

static void removal_names_what_stays(void **state) {
    s3_world *world = *state;
    s3_world_put(world, "t/a", "x", 1);
    s3_world_put(world, "t/protected", "x", 1);
    assert_fails(stoa_vfs_remove_tree(world->registry, s3_world_at(world, "t"), NULL, &world->err),
                 STOA_IO, "'base/t/protected': AccessDenied", world->err);
    s3_world_assert_holds(world, "t/protected", "x", 1);
    s3_world_plan(world, "1 0 POST delete lost\n");
    s3_world_put(world, "u/a", "x", 1);
    assert_ok(stoa_vfs_remove_tree(world->registry, s3_world_at(world, "u"), NULL, &world->err),
              world->err);
    s3_world_plan(world, "1 0 DELETE . lost\n");
    s3_world_put(world, "b", "x", 1);
    assert_ok(stoa_vfs_remove(world->registry, s3_world_at(world, "b"), NULL, &world->err),
              world->err);
    assert_fails(stoa_vfs_remove(world->registry, "s3://lake", NULL, &world->err), STOA_UNSUPPORTED,
                 "bucket", world->err);
    assert_fails(stoa_vfs_remove_tree(world->registry, "s3://lake/", NULL, &world->err),
                 STOA_UNSUPPORTED, "bucket", world->err);
}

static void a_copy_that_fails_late_has_failed(void **state) {
    s3_world *world = *state;
    s3_world_put(world, "a", "new", 3);
    s3_world_put(world, "b", "old", 3);
    s3_world_plan(world, "9 0 PUT /b error200 AccessDenied\n");
    assert_fails(stoa_vfs_rename(world->registry, s3_world_at(world, "a"), s3_world_at(world, "b"),
                                 NULL, &world->err),
                 STOA_IO, "AccessDenied", world->err);
    s3_world_plan(world, "");
    s3_world_assert_holds(world, "a", "new", 3);
    s3_world_assert_holds(world, "b", "old", 3);
    s3_world_plan(world, "1 0 PUT /b error200 SlowDown\n");
    assert_ok(stoa_vfs_rename(world->registry, s3_world_at(world, "a"), s3_world_at(world, "b"),
                              NULL, &world->err),
              world->err);
    s3_world_assert_holds(world, "b", "new", 3);
}

static void requests_in_vain_use_up_the_quota(void **state) {
    s3_world *world = *state;
    stoa_file_info info;
    bool is_used_up = false;
    world->options.max_attempts = 100;
    s3_world_register(world, "s3");
    stoa_fs *fs = NULL;
    const char *path;
    assert_ok(stoa_fs_find(world->registry, world->base, &fs, &path, &world->err), world->err);
    atomic_store(&((struct s3_fs *)fs->state)->retry_quota, 11);
    s3_world_plan(world, "999 0 * . status 503:SlowDown\n");
    assert_fails(stoa_vfs_stat(world->registry, s3_world_at(world, "f"), NULL, &info, &world->err),
                 STOA_IO, "in vain", world->err);
    is_used_up = s3_world_count(world, "HEAD ") == 3;
    assert_true(is_used_up);
}

static void session_tokens_go_along(void **state) {
    s3_world *world = *state;
    static const char *const with_token[] = {"--token", "session/token+with=signs", NULL};
    s3_world other;
    (void)world;
    s3_world_open(&other, with_token);
    assert_fails(try_write(&other, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, "InvalidToken",
                 other.err);
    other.options.session_token = with_token[1];
    s3_world_register(&other, "s3");
    assert_ok(try_write(&other, "f", STOA_OPEN_REPLACE, "x", 1), other.err);
    s3_world_assert_holds(&other, "f", "x", 1);
    other.options.session_token = "wrong-token";
    s3_world_register(&other, "s3");
    assert_fails(try_write(&other, "f", STOA_OPEN_REPLACE, "x", 1), STOA_IO, "InvalidToken",
                 other.err);
    assert_null(strstr(other.err.message, "wrong-token"));
    s3_world_close(&other);
}

static void tls_is_verified_and_bodies_go_unsigned(void **state) {
    char directory[SUPPORT_PATH_BYTES], command[4 * SUPPORT_PATH_BYTES];
    char certificate[SUPPORT_PATH_BYTES + 8], key[SUPPORT_PATH_BYTES + 8];
    (void)state;
    support_temp_directory(directory);
    (void)snprintf(certificate, sizeof certificate, "%s/c.pem", directory);
    (void)snprintf(key, sizeof key, "%s/k.pem", directory);
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                   "-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 -keyout %s "
                   "-out %s 2>/dev/null",
                   key, certificate);
    if (system(command) != 0) {
        print_message("left out: the program openssl is not there\n");
        skip();
    }
    const char *const arguments[] = {"--tls", certificate, key, "--sums", NULL};
    s3_world other;
    s3_world_open(&other, arguments);
    stoa_buffer bytes;
    assert_fails(try_read(&other, "f", &bytes), STOA_IO, "certificate", other.err);
    other.options.ca_file = certificate;
    s3_world_register(&other, "s3");
    assert_ok(try_write(&other, "f", STOA_OPEN_REPLACE, "text", 4), other.err);
    s3_world_assert_holds(&other, "f", "text", 4);
    s3_world_close(&other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_passes_is_tried_again),
        TEST(what_does_not_pass_is_told_with_its_name),
        TEST(wrong_keys_are_told_apart),
        TEST(who_may_write_but_not_look_can_create),
        TEST(settings_that_are_missing_are_no_missing_objects),
        TEST(another_clock_is_followed),
        TEST(other_regions_are_found),
        TEST(lost_answers_are_no_conflicts),
        TEST(another_writer_is_a_conflict_even_so),
        TEST(uploads_survive_what_passes),
        TEST(uploads_that_fail_are_aborted),
        TEST(answers_are_not_believed),
        TEST(a_hung_request_ends_with_its_token),
        TEST(a_hung_upload_ends_with_its_token),
        TEST(removal_names_what_stays),
        TEST(a_copy_that_fails_late_has_failed),
        TEST(requests_in_vain_use_up_the_quota),
        TEST(session_tokens_go_along),
        TEST(tls_is_verified_and_bodies_go_unsigned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
