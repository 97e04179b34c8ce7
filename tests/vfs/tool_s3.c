/* What the oracle and the judge drive from outside:
 *
 *     tool_vfs_s3 sign            reads requests, a line each, fields parted by tabs: key id, secret,
 *                                 method, path, query, region, date, payload hash, headers…; prints
 *                                 their signatures
 *     tool_vfs_s3 put URI FILE    copies a local file to a URI
 *     tool_vfs_s3 get URI FILE    and back, in reads of 3 MiB and a vectored one
 *     tool_vfs_s3 list URI        prints all files below with their sizes
 *
 * The settings are those of the environment, as for any program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/sigv4.h"
#include "vfs/vfs.h"

enum { LINE_BYTES = 1 << 16, FIELDS_MAX = 32, STEP = 3 << 20 };

static stoa_status sign_line(stoa_pool *pool, char *line, stoa_error *err) {
    const char *fields[FIELDS_MAX];
    size_t count = 0;
    for (char *at = line; at != NULL && count < FIELDS_MAX;) {
        fields[count++] = at;
        at = strchr(at, '\t');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    if (count < 8) {
        return stoa_fail(err, STOA_INVALID, "expected 8 fields but found %zu", count);
    }
    const stoa_sigv4_request request = {fields[2], fields[3], fields[4], fields + 8, count - 8,
                                        fields[7], fields[5], "s3",      fields[6]};
    stoa_buffer out = {.pool = pool};
    stoa_status status = stoa_sigv4_authorize(&request, fields[0], fields[1], &out, err);
    if (status == STOA_OK) {
        (void)printf("%.*s\n", (int)out.size, (const char *)out.data);
    }
    stoa_buffer_release(&out);
    return status;
}

static stoa_status sign(stoa_pool *pool, stoa_error *err) {
    static char line[LINE_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        STOA_TRY(sign_line(pool, line, err));
    }
    return STOA_OK;
}

static stoa_status copy(stoa_fs_registry *registry, stoa_pool *pool, const char *from,
                        const char *to, stoa_error *err) {
    stoa_file *source = NULL, *target = NULL;
    void *memory = NULL;
    uint64_t size = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(registry, from, STOA_OPEN_READ, NULL, &source, err));
    STOA_CHECK(stoa_vfs_open(registry, to, STOA_OPEN_REPLACE, NULL, &target, err));
    STOA_CHECK(stoa_pool_allocate(pool, STEP, &memory, err));
    STOA_CHECK(stoa_file_size(source, &size, err));
    for (uint64_t done = 0; done < size;) {
        size_t step = size - done < STEP ? (size_t)(size - done) : STEP;
        size_t half = step / 2;
        uint8_t *bytes = memory;
        const stoa_read_range ranges[] = {{done + half, step - half, bytes + half},
                                          {done, half, bytes}};
        STOA_CHECK(stoa_file_read_vector(source, ranges, 2, err));
        STOA_CHECK(stoa_file_write(target, bytes, step, err));
        done += step;
    }
    STOA_CHECK(stoa_file_sync(target, err));

done:
    stoa_pool_free(pool, memory, STEP);
    stoa_file_close(source);
    stoa_file_close(target);
    return status;
}

static stoa_status print_name(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    (void)user;
    (void)err;
    (void)printf("%llu %s\n", (unsigned long long)info->size, name);
    return STOA_OK;
}

static stoa_status run(stoa_pool *pool, stoa_fs_registry *registry, int count, char **words,
                       stoa_error *err) {
    const char *verb = count > 1 ? words[1] : "";
    if (strcmp(verb, "sign") == 0 && count == 2) {
        return sign(pool, err);
    }
    if (strcmp(verb, "put") == 0 && count == 4) {
        return copy(registry, pool, words[3], words[2], err);
    }
    if (strcmp(verb, "get") == 0 && count == 4) {
        return copy(registry, pool, words[2], words[3], err);
    }
    if (strcmp(verb, "list") == 0 && count == 3) {
        return stoa_vfs_list_tree(registry, words[2], NULL, print_name, NULL, err);
    }
    return stoa_fail(err, STOA_INVALID, "usage: sign | put URI FILE | get URI FILE | list URI");
}

int main(int count, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_status status = stoa_pool_create(0, NULL, &pool, &err);
    if (status == STOA_OK) {
        status = stoa_fs_registry_create(pool, &registry, &err);
    }
    if (status == STOA_OK) {
        status = run(pool, registry, count, words, &err);
    }
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
    }
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return status == STOA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
