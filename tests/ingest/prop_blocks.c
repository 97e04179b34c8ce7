/* Any size of block gives the table that one block gives: random CSV and JSON Lines with quotes,
 * escapes, line ends and delimiters inside values, so that blocks end at every place there is. And
 * the kernel that cuts agrees with one that goes byte by byte. */
#include "load_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingest/csv_value_kernel.h"
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

/* A field as programs write it, or nearly. */
static void add_value(struct text *text, support_random *random, int column) {
    static const char *const odd[] = {"",   "\"\"",  "-0", "007",        " 5",
                                      "5 ", "\"8\"", "+4", "99999999999"};
    char value[64];
    if (support_random_below(random, 12) == 0) {
        add(text, column < 2 ? odd[support_random_below(random, column == 1 ? 8 : 9)] : "");
        return;
    }
    int64_t number = support_random_between(random, -1000000, 1000000);
    switch (column) {
    case 0:
    case 1: (void)snprintf(value, sizeof value, "%lld", (long long)number); break;
    case 2: {
        static const char *const formats[] = {"%.2f", "%.17g", "%.9f", "%g", "%.20f"};
        double scale = (double)support_random_between(random, 1, 1 << 30);
        (void)snprintf(value, sizeof value, formats[support_random_below(random, 5)],
                       (double)number * scale / 97.0);
        break;
    }
    case 3:
        (void)snprintf(value, sizeof value, "%04d-%02d-%02d", (int)(number & 1023) + 1600,
                       (int)support_random_between(random, 1, 12),
                       (int)support_random_between(random, 1, 28));
        break;
    default:
        (void)snprintf(value, sizeof value, "2024-02-%02d%c%02d:%02d:%02d%s",
                       (int)support_random_between(random, 1, 29), number % 2 == 0 ? ' ' : 'T',
                       (int)support_random_between(random, 0, 23),
                       (int)support_random_between(random, 0, 59),
                       (int)support_random_between(random, 0, 59),
                       number % 3 == 0   ? ""
                       : number % 3 == 1 ? ".5"
                                         : ".000123");
    }
    add(text, value);
}

static void make_values(struct text *text, support_random *random) {
    static const struct dialect dialect = {",", "\n", "\"\""};
    bool returns = support_random_below(random, 2) == 0;
    text->size = 0;
    add(text, returns ? "l,i,d,a,t,s\r\n" : "l,i,d,a,t,s\n");
    uint64_t rows = 1 + support_random_below(random, 200);
    for (uint64_t i = 0; i < rows; i++) {
        for (int column = 0; column < 5; column++) {
            add_value(text, random, column);
            add(text, ",");
        }
        add_text_field(text, random, &dialect);
        add(text, returns ? "\r\n" : "\n");
        if (support_random_below(random, 50) == 0) {
            add(text, returns ? "\r\n" : "\n");
        }
    }
}

static void rows_without_the_engine_are_the_engines(void **state) {
    (void)state;
    static struct text text;
    static const char schema[] = "l long, i int, d double, a date, t timestamp, s string";
    support_random random = support_random_open("prop_blocks plain");
    load_world world;
    const char *uri = "test:/t.csv";
    load_world_open(&world, 2);
    for (int round = 0; round < CSV_ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_load_options options = STOA_LOAD_DEFAULT;
        stoa_ingest_tuning tuning = {.block_bytes = 300, .no_plain = true};
        make_values(&text, &random);
        load_world_put(&world, uri, text.bytes, text.size);
        options.schema = schema;
        assert_ok(stoa_ingest_load(world.db, "engine", &uri, 1, &options, &tuning, &world.report,
                                   &err),
                  err);
        assert_ok(load_world_load(&world, "plain", uri, schema, NULL, 300, &err), err);
        load_world_expect_same(&world, "engine", "plain");
        load_world_drop(&world, "engine");
        load_world_drop(&world, "plain");
    }
    load_world_close(&world);
}

static void doubles_are_the_nearest(void **state) {
    (void)state;
    support_random random = support_random_open("prop_blocks doubles");
    for (int round = 0; round < 200000; round++) {
        char digits[64];
        char text[96];
        double found = 0;
        uint64_t number = support_random_u64(&random) >> support_random_below(&random, 64);
        int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
        int point = (int)support_random_below(&random, (uint64_t)size + 1);
        int zeros = (int)support_random_below(&random, 10);
        size = point == 0 ? snprintf(text, sizeof text, "-0.%.*s%s", zeros, "0000000000", digits)
               : point == size
                   ? snprintf(text, sizeof text, "%s", digits)
                   : snprintf(text, sizeof text, "%.*s.%s", point, digits, digits + point);
        if (support_random_below(&random, 4) == 0) {
            size += snprintf(text + size, sizeof text - (size_t)size, "e%d",
                             (int)support_random_between(&random, -40, 40));
        }
        assert_true(stoa_csv_double_kernel((const uint8_t *)text, (size_t)size, &found));
        double expected = strtod(text, NULL);
        if (memcmp(&found, &expected, sizeof found) != 0) {
            fail_msg("%s: expected %.17g but found %.17g", text, expected, found);
        }
    }
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
        cmocka_unit_test(doubles_are_the_nearest),
        cmocka_unit_test(any_block_size_gives_the_same_csv),
        cmocka_unit_test(rows_without_the_engine_are_the_engines),
        cmocka_unit_test(any_block_size_gives_the_same_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
