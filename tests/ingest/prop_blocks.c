/* Any size of block gives the table that one block gives: random CSV and JSON Lines with quotes,
 * escapes, line ends and delimiters inside values, so that blocks end at every place there is. And
 * the kernel that cuts agrees with one that goes byte by byte. */
#include "load_world.h"

#include <stdio.h>

#include "ingest/cut_kernel.h"
#include "mem/buffer.h"

enum { TEXT_BYTES_MAX = 1 << 16, CSV_ROUNDS = 30, JSON_ROUNDS = 12, KERNEL_ROUNDS = 3000 };

struct text {
    char bytes[TEXT_BYTES_MAX];
    size_t size;
};

static void add(struct text *text, const char *bytes) {
    size_t size = strlen(bytes);
    assert_true(text->size + size < TEXT_BYTES_MAX);
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

struct dialect {
    const char *delimiter;
    const char *newline;
    const char *quoted_quote; /* a quote within quotes */
};

static void add_quoted(struct text *text, support_random *random, const struct dialect *dialect) {
    static const char *const pieces[] = {"a", "ü", ",", ";", "\n", "\r\n", " ", "十二", "''", "#"};
    add(text, "\"x");
    for (uint64_t i = support_random_below(random, 8); i > 0; i--) {
        uint64_t piece = support_random_below(random, 11);
        add(text, piece == 10 ? dialect->quoted_quote : pieces[piece]);
    }
    add(text, "\"");
}

static void add_text_field(struct text *text, support_random *random,
                           const struct dialect *dialect) {
    static const char *const plain[] = {"", "word", "two words", "5\" disk", "ü", "x\"y\"z"};
    if (support_random_below(random, 3) == 0) {
        add_quoted(text, random, dialect);
    } else {
        add(text, plain[support_random_below(random, dialect->quoted_quote[0] == '"' ? 6 : 5)]);
    }
}

static void make_csv(struct text *text, support_random *random) {
    static const struct dialect dialects[] = {{",", "\n", "\"\""},
                                              {";", "\n", "\"\""},
                                              {",", "\r\n", "\"\""},
                                              {"\t", "\n", "\"\""},
                                              {",", "\n", "\\\""}};
    const struct dialect *dialect = &dialects[support_random_below(random, 5)];
    char field[64];
    text->size = 0;
    if (support_random_below(random, 3) == 0) {
        add(text, "\xEF\xBB\xBF");
    }
    (void)snprintf(field, sizeof field, "id%sname%sscore%s", dialect->delimiter, dialect->delimiter,
                   dialect->newline);
    add(text, field);
    uint64_t rows = 1 + support_random_below(random, 120);
    for (uint64_t i = 0; i < rows; i++) {
        (void)snprintf(field, sizeof field, "%llu%s", (unsigned long long)i, dialect->delimiter);
        add(text, field);
        if (i == 0) { /* shows the quote and its escape at the beginning */
            add(text, "\"q");
            add(text, dialect->quoted_quote);
            add(text, "q\"");
        } else {
            add_text_field(text, random, dialect);
        }
        (void)snprintf(field, sizeof field, "%s%.3f", dialect->delimiter,
                       (double)support_random_between(random, -5000, 5000) / 8);
        add(text, field);
        if (i + 1 < rows || support_random_below(random, 2) == 0) {
            add(text, dialect->newline);
        }
    }
}

static void any_block_size_gives_the_same_csv(void **state) {
    (void)state;
    static struct text text;
    static const size_t sizes[] = {1, 2, 7, 64, 100, 333, 1000};
    static const char schema[] = "id long, name string, score double";
    support_random random = support_random_open("prop_blocks csv");
    load_world world;
    load_world_open(&world, 2);
    for (int round = 0; round < CSV_ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        make_csv(&text, &random);
        load_world_put(&world, "test:/t.csv", text.bytes, text.size);
        assert_ok(load_world_load(&world, "whole", "test:/t.csv", schema, NULL, 0, &err), err);
        size_t size = sizes[support_random_below(&random, 7)];
        assert_ok(load_world_load(&world, "cut", "test:/t.csv", schema, NULL, size, &err), err);
        load_world_expect_same(&world, "whole", "cut");
        load_world_drop(&world, "whole");
        load_world_drop(&world, "cut");
    }
    load_world_close(&world);
}

static void make_json(struct text *text, support_random *random) {
    static const char *const names[] = {"\"plain\"", "\"a\\nb\"", "\"{\\\"[\"", "null",
                                        "\"\\u00fc\""};
    char line[256];
    text->size = 0;
    uint64_t rows = 1 + support_random_below(random, 100);
    for (uint64_t i = 0; i < rows; i++) {
        (void)snprintf(line, sizeof line,
                       "{\"id\": %llu, \"name\": %s, \"tags\": [%lld, 2], \"at\": {\"x\": %.2f}}\n",
                       (unsigned long long)i, names[support_random_below(random, 5)],
                       (long long)support_random_between(random, 0, 9),
                       (double)support_random_between(random, 1, 999) / 7);
        add(text, line);
        if (support_random_below(random, 10) == 0) {
            add(text, "\n");
        }
    }
}

static void any_block_size_gives_the_same_json(void **state) {
    (void)state;
    static struct text text;
    static const size_t sizes[] = {1, 64, 200, 1000};
    support_random random = support_random_open("prop_blocks json");
    load_world world;
    load_world_open(&world, 2);
    for (int round = 0; round < JSON_ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        make_json(&text, &random);
        load_world_put(&world, "test:/t.jsonl", text.bytes, text.size);
        assert_ok(load_world_load(&world, "whole", "test:/t.jsonl", NULL, NULL, 0, &err), err);
        size_t size = sizes[support_random_below(&random, 4)];
        assert_ok(load_world_load(&world, "cut", "test:/t.jsonl", NULL, NULL, size, &err), err);
        load_world_expect_same(&world, "whole", "cut");
        load_world_drop(&world, "whole");
        load_world_drop(&world, "cut");
    }
    load_world_close(&world);
}

/* The same as the kernel, one byte after the other. */
static size_t slow_cut(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t size) {
    size_t whole = 0;
    bool begins = true; /* only spaces since the last separator */
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = bytes[i];
        if (quoted) {
            bool next_is_quote = i + 1 < size && bytes[i + 1] == cut->quote;
            if (byte == cut->escape && cut->escape != cut->quote) {
                i++;
            } else if (byte == cut->quote && cut->escape == cut->quote && i + 1 == size) {
                break; /* it could be the first of two */
            } else if (byte == cut->quote && cut->escape == cut->quote && next_is_quote) {
                i++;
            } else if (byte == cut->quote) {
                quoted = false;
                begins = false;
            }
            continue;
        }
        if (byte == cut->quote && begins) {
            quoted = true;
        } else if (byte == cut->delimiter || byte == '\n' || byte == '\r') {
            begins = true;
        } else if (byte != ' ') {
            begins = false;
        }
        whole = byte == cut->end ? i + 1 : whole;
    }
    return whole;
}

static void the_kernel_cuts_where_records_end(void **state) {
    (void)state;
    static const stoa_ingest_cut cuts[] = {{'\n', '"', '"', ','},
                                           {'\n', '"', '\\', ','},
                                           {'\r', '"', '"', ';'},
                                           {'\n', 0, 0, ','}};
    static const char letters[] = "\"\"\"\n\n,, ab\\;\r";
    support_random random = support_random_open("prop_blocks kernel");
    for (int round = 0; round < KERNEL_ROUNDS; round++) {
        uint8_t bytes[200];
        const stoa_ingest_cut *cut = &cuts[support_random_below(&random, 4)];
        size_t size = support_random_below(&random, sizeof bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)letters[support_random_below(&random, sizeof letters - 1)];
        }
        assert_int_equal(stoa_ingest_cut_kernel(cut, bytes, size), slow_cut(cut, bytes, size));
        int64_t count = 0;
        for (size_t i = 0; i < size; i++) {
            count += bytes[i] == '"';
        }
        assert_int_equal(stoa_ingest_count_kernel(bytes, size, '"'), count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_cuts_where_records_end),
        cmocka_unit_test(any_block_size_gives_the_same_csv),
        cmocka_unit_test(any_block_size_gives_the_same_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
