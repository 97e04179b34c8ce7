/* URIs in statements. The engine reads local files only, and its C interface has no place for file
 * systems of ours; so what it is to read is fetched first, and the text that it gets names the copy.
 *
 * Which strings are files is told from the tokens: one that follows FROM or JOIN, or a comma between
 * tables, and those within the first argument of a function that reads files. FROM within brackets
 * that hold no query (extract, trim, substring) is no place for a table. */
#include "sql/remote.h"

#include <strings.h>

#include "schema/schema.h"
#include "sql/tokens.h"
#include "vfs/compressed.h"
#include "vfs/stage.h"
#include "vfs/uri.h"

enum { DEPTH_MAX = 256 };

/* One level of brackets. */
struct level {
    bool is_query;     /* SELECT may stand here: so may tables */
    bool wants_tables; /* behind FROM, until another clause begins */
    bool reads_files;  /* the arguments of a function that does, the first of them */
    bool unpacks;      /* and which reads what is inside packed files */
    bool is_list;      /* [ … ] */
};

struct rewriting {
    struct view *view;
    const struct tokens *tokens;
    struct sql_text *out;
    size_t copied; /* so many bytes of the source are in `out` */
    bool any;
    int32_t depth;
    struct level levels[DEPTH_MAX];
};

static bool is_one_of(const struct tokens *tokens, int32_t index, const char *const *words) {
    for (; *words != NULL; words++) {
        if (stoa_sql_token_is(tokens, index, *words)) {
            return true;
        }
    }
    return false;
}

static bool reads_unpacked(const struct tokens *tokens, int32_t index) {
    static const char *const functions[] = {
        "read_csv",         "read_csv_auto",       "sniff_csv",   "read_json",
        "read_json_auto",   "read_json_objects",   "read_ndjson", "read_json_objects_auto",
        "read_ndjson_auto", "read_ndjson_objects", NULL,
    };
    return is_one_of(tokens, index, functions);
}

static bool reads_as_they_are(const struct tokens *tokens, int32_t index) {
    static const char *const functions[] = {
        "read_parquet",
        "parquet_scan",
        "parquet_metadata",
        "parquet_file_metadata",
        "parquet_schema",
        "parquet_kv_metadata",
        "read_text",
        "read_blob",
        "parquet_bloom_probe",
        "parquet_full_metadata",
        NULL,
    };
    return is_one_of(tokens, index, functions);
}

/* What stands between the quotes, doubled ones undone. */
static stoa_status unquote(const struct rewriting *rewriting, const struct token *token,
                           const char **out, stoa_error *err) {
    const char *from = rewriting->tokens->sql + token->begin;
    size_t size = token->end - token->begin, used = 0;
    char *text = NULL;
    STOA_TRY(stoa_arena_allocate(&rewriting->view->arena, size, (void **)&text, err));
    for (size_t i = 1; i + 1 < size; i++) {
        text[used++] = from[i];
        i += from[i] == '\'' ? 1 : 0;
    }
    text[used] = '\0';
    *out = text;
    return STOA_OK;
}

/* The URI that a string is, when its scheme is one that Stoa knows, or the local file when only Stoa
 * can unpack it; NULL for any other text. Text that looks like a URI of a scheme that Stoa does not
 * know is an error. */
static stoa_status find_uri(const struct rewriting *rewriting, int32_t index, const char **out,
                            stoa_error *err) {
    const struct token *token = &rewriting->tokens->items[index];
    const char *text = rewriting->tokens->sql + token->begin;
    stoa_fs_registry *registry = stoa_database_file_systems(rewriting->view->database);
    size_t scheme = text[0] == '\'' ? stoa_uri_scheme_length(text + 1) : 0;
    stoa_fs *fs = NULL;
    const char *uri = NULL, *path = NULL;
    *out = NULL;
    if (text[0] != '\'') {
        return STOA_OK;
    }
    STOA_TRY(unquote(rewriting, token, &uri, err));
    if (scheme == 0 || (scheme == 4 && strncasecmp(text + 1, "file", 4) == 0)) {
        *out = stoa_stage_unpacks(uri) ? uri : NULL;
        return STOA_OK;
    }
    if (stoa_fs_find(registry, uri, &fs, &path, NULL) == STOA_OK) {
        *out = uri;
        return STOA_OK;
    }
    return strncmp(uri + scheme, "://", 3) == 0 ? stoa_fs_find(registry, uri, &fs, &path, err)
                                                : STOA_OK;
}

/* ---- files ---- */

struct finding {
    struct view *view;
    stoa_buffer uris; /* of const char *, in the view's arena */
};

static stoa_status note_file(void *user, const char *uri, const stoa_file_info *info,
                             stoa_error *err) {
    struct finding *finding = user;
    const char *copy = NULL;
    if (info->is_directory) {
        return stoa_fail(err, STOA_INVALID, "'%s' is a directory", uri);
    }
    STOA_TRY(stoa_arena_copy_text(&finding->view->arena, uri, strlen(uri), &copy, err));
    return stoa_buffer_append(&finding->uris, &copy, sizeof copy, err);
}

/* The files that `uri` means. */
static stoa_status find_files(struct finding *finding, const char *uri, stoa_error *err) {
    struct view *view = finding->view;
    stoa_fs_registry *registry = stoa_database_file_systems(view->database);
    stoa_file_info info = {0};
    /* A file whose name has wildcard characters is that file ("?" begins a query over HTTP). */
    if (!stoa_vfs_has_wildcard(uri) ||
        (stoa_vfs_stat(registry, uri, &view->context, &info, NULL) == STOA_OK &&
         !info.is_directory)) {
        return note_file(finding, uri, &info, err);
    }
    STOA_TRY(stoa_vfs_glob(registry, uri, &view->context, view->pool, note_file, finding, err));
    if (finding->uris.size == 0) {
        stoa_fail(err, STOA_NOT_FOUND, "no file matches '%s'", uri);
        stoa_error_set_file(err, uri, -1);
        return STOA_NOT_FOUND;
    }
    return STOA_OK;
}

/* Appends the files that `uri` means, as literals with commas between. */
static stoa_status add_files(struct rewriting *rewriting, const char *uri, bool unpacks,
                             stoa_error *err) {
    struct view *view = rewriting->view;
    struct finding finding = {.view = view, .uris = {.pool = view->pool}};
    stoa_status status = STOA_OK;
    STOA_CHECK(find_files(&finding, uri, err));
    const char *const *uris = (const char *const *)(const void *)finding.uris.data;
    size_t count = finding.uris.size / sizeof *uris;
    STOA_CHECK(stoa_database_stage(view->database, view->pool, &view->stage, err));
    STOA_CHECK(stoa_stage_add_all(view->stage, uris, count, unpacks, &view->context, err));
    for (size_t i = 0; i < count; i++) {
        const char *path = NULL;
        STOA_CHECK(stoa_stage_add(view->stage, uris[i], unpacks, &view->context, &path, err));
        STOA_CHECK(stoa_sql_text_add(rewriting->out, i == 0 ? "" : ", ", err));
        STOA_CHECK(stoa_sql_text_literal(rewriting->out, path, err));
    }

done:
    stoa_buffer_release(&finding.uris);
    return status;
}

static bool ends_with(const char *uri, size_t length, const char *const *endings) {
    for (; *endings != NULL; endings++) {
        size_t size = strlen(*endings);
        if (length > size && strncasecmp(uri + length - size, *endings, size) == 0) {
            return true;
        }
    }
    return false;
}

/* The function that reads what a table's place names, by its ending or else by its first bytes. */
static stoa_status choose_function(struct view *view, const char *uri, const char **out,
                                   bool *out_unpacks, stoa_error *err) {
    static const char *const parquet[] = {".parquet", ".pq", ".parq", NULL};
    static const char *const json[] = {".json", ".jsonl", ".ndjson", ".geojson", NULL};
    static const char *const csv[] = {".csv", ".tsv", ".txt", ".tab", NULL};
    bool is_http = strncasecmp(uri, "http", 4) == 0;
    size_t length = is_http ? strcspn(uri, "?#") : strlen(uri);
    size_t stem = length;
    char head[4] = "";
    size_t size = 0;
    stoa_file *file = NULL;
    char *name = NULL;
    STOA_TRY(stoa_pool_copy_text(view->pool, uri, length, &name, err));
    (void)stoa_packing_of_name(name, &stem);
    bool is_parquet = ends_with(name, stem, parquet);
    bool is_json = ends_with(name, stem, json);
    bool is_csv = ends_with(name, stem, csv);
    stoa_pool_free_string(view->pool, name);
    if (!is_parquet && !is_json && !is_csv && !stoa_vfs_has_wildcard(uri)) {
        STOA_TRY(stoa_vfs_open(stoa_database_file_systems(view->database), uri, STOA_OPEN_READ,
                               &view->context, &file, err));
        stoa_status status = stoa_file_read_some(file, 0, head, sizeof head, &size, err);
        stoa_file_close(file);
        STOA_TRY(status);
        is_parquet = size == 4 && memcmp(head, "PAR1", 4) == 0;
        is_json = !is_parquet && size > 0 && (head[0] == '{' || head[0] == '[');
    }
    *out = is_parquet ? "read_parquet" : is_json ? "read_json_auto" : "read_csv_auto";
    *out_unpacks = !is_parquet;
    return STOA_OK;
}

static stoa_status rewrite_file(struct rewriting *rewriting, const char *uri, bool is_table,
                                stoa_error *err) {
    const struct level *level = &rewriting->levels[rewriting->depth];
    struct sql_text *out = rewriting->out;
    const char *function = NULL;
    bool unpacks = level->unpacks;
    bool in_list = level->is_list;
    if (is_table) {
        STOA_TRY(choose_function(rewriting->view, uri, &function, &unpacks, err));
        STOA_TRY(stoa_sql_text_format(out, err, "%s([", function));
        STOA_TRY(add_files(rewriting, uri, unpacks, err));
        return stoa_sql_text_add(out, "])", err);
    }
    STOA_TRY(stoa_sql_text_add(out, in_list ? "" : "[", err));
    STOA_TRY(add_files(rewriting, uri, unpacks, err));
    return stoa_sql_text_add(out, in_list ? "" : "]", err);
}

/* What a view or a macro names is read later, when the copy is gone. */
static stoa_status refuse_in_what_stays(const struct rewriting *rewriting, const char *uri,
                                        stoa_error *err) {
    static const char *const kinds[] = {"VIEW", "MACRO", "FUNCTION", NULL};
    static const char *const others[] = {"TABLE", "AS", NULL}; /* whatever its name is */
    const struct tokens *tokens = rewriting->tokens;
    bool creates = stoa_sql_token_is(tokens, 0, "CREATE");
    for (int32_t i = 1; creates && i < tokens->count && !is_one_of(tokens, i, others); i++) {
        if (is_one_of(tokens, i, kinds)) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "'%s' is fetched for one statement and cannot be named in what stays: "
                             "create a table of it",
                             uri);
        }
    }
    return STOA_OK;
}

static stoa_status rewrite_string(struct rewriting *rewriting, int32_t index, bool is_table,
                                  stoa_error *err) {
    const struct token *token = &rewriting->tokens->items[index];
    const char *uri = NULL;
    stoa_status status = find_uri(rewriting, index, &uri, err);
    if (status == STOA_OK && uri == NULL) {
        return STOA_OK;
    }
    if (status == STOA_OK) {
        status = refuse_in_what_stays(rewriting, uri, err);
    }
    if (status == STOA_OK) {
        status = stoa_sql_text_piece(rewriting->out, rewriting->copied, token->begin, err);
    }
    if (status == STOA_OK) {
        status = rewrite_file(rewriting, uri, is_table, err);
    }
    if (status != STOA_OK && err != NULL) {
        err->query_offset = (int64_t)token->begin;
    }
    rewriting->copied = token->end;
    rewriting->any = true;
    return status;
}

/* ---- tokens ---- */

/* FROM of IS [NOT] DISTINCT FROM compares. */
static bool begins_tables(const struct rewriting *rewriting, int32_t index) {
    const struct tokens *tokens = rewriting->tokens;
    bool compares = stoa_sql_token_is(tokens, index - 1, "DISTINCT") &&
                    (stoa_sql_token_is(tokens, index - 2, "IS") ||
                     stoa_sql_token_is(tokens, index - 2, "NOT"));
    return rewriting->levels[rewriting->depth].is_query &&
           (stoa_sql_token_is(tokens, index, "JOIN") ||
            (stoa_sql_token_is(tokens, index, "FROM") && !compares));
}

static void enter(struct rewriting *rewriting, int32_t index) {
    static const char *const beginnings[] = {"SELECT", "WITH", "FROM", "VALUES", "PIVOT", NULL};
    const struct tokens *tokens = rewriting->tokens;
    const struct level *above = &rewriting->levels[rewriting->depth];
    struct level level = {0};
    if (stoa_sql_token_is_symbol(tokens, index, '[')) {
        level = (struct level){.is_list = true,
                               .reads_files = above->reads_files,
                               .unpacks = above->unpacks};
    } else {
        level.unpacks = reads_unpacked(tokens, index - 1);
        level.reads_files = level.unpacks || reads_as_they_are(tokens, index - 1);
        bool is_nested = stoa_sql_token_is_symbol(tokens, index + 1, '(');
        bool in_tables = above->wants_tables && (begins_tables(rewriting, index - 1) ||
                                                 stoa_sql_token_is_symbol(tokens, index - 1, ',') ||
                                                 stoa_sql_token_is_symbol(tokens, index - 1, '('));
        level.is_query = is_one_of(tokens, index + 1, beginnings) || is_nested || in_tables;
        level.wants_tables = in_tables; /* FROM ('a' JOIN 'b' …) */
    }
    rewriting->levels[++rewriting->depth] = level;
}

static bool ends_tables(const struct tokens *tokens, int32_t index) {
    static const char *const clauses[] = {"WHERE",  "GROUP",     "ORDER",     "HAVING", "LIMIT",
                                          "SELECT", "UNION",     "INTERSECT", "EXCEPT", "ON",
                                          "USING",  "QUALIFY",   "WINDOW",    "OFFSET", "SET",
                                          "VALUES", "RETURNING", "SAMPLE",    NULL};
    return is_one_of(tokens, index, clauses) || stoa_sql_token_is_symbol(tokens, index, ';');
}

static stoa_status rewrite_token(struct rewriting *rewriting, int32_t index, stoa_error *err) {
    const struct tokens *tokens = rewriting->tokens;
    struct level *level = &rewriting->levels[rewriting->depth];
    if (stoa_sql_token_is_symbol(tokens, index, '(') ||
        stoa_sql_token_is_symbol(tokens, index, '[')) {
        if (rewriting->depth + 1 == DEPTH_MAX) {
            return stoa_fail(err, STOA_LIMIT, "more than %d brackets within each other", DEPTH_MAX);
        }
        enter(rewriting, index);
    } else if (stoa_sql_token_is_symbol(tokens, index, ')') ||
               stoa_sql_token_is_symbol(tokens, index, ']')) {
        rewriting->depth -= rewriting->depth > 0 ? 1 : 0;
    } else if (begins_tables(rewriting, index)) {
        level->wants_tables = true;
    } else if (ends_tables(tokens, index)) {
        level->wants_tables = false;
    } else if (stoa_sql_token_is_symbol(tokens, index, ',')) {
        level->reads_files = level->reads_files && level->is_list;
    } else if (tokens->items[index].kind == TOKEN_STRING) {
        bool follows = index > 0 && (begins_tables(rewriting, index - 1) ||
                                     stoa_sql_token_is_symbol(tokens, index - 1, ',') ||
                                     stoa_sql_token_is_symbol(tokens, index - 1, '('));
        bool is_table = level->wants_tables && follows;
        return level->reads_files || is_table ? rewrite_string(rewriting, index, is_table, err)
                                              : STOA_OK;
    }
    return STOA_OK;
}

/* Nearly every statement names no file that is staged: one look for "…:" within a string, and for the
 * endings of what only Stoa unpacks, says so. */
static bool may_have_uri(const char *sql) {
    static const char *const endings[] = {".lz4", ".bz2", ".xz"};
    for (const char *at = strchr(sql, '\''); at != NULL; at = strchr(at + 1, '\'')) {
        if (stoa_uri_scheme_length(at + 1) > 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (strcasestr(sql, endings[i]) != NULL) {
            return true;
        }
    }
    return false;
}

stoa_status stoa_sql_remote_rewrite(struct view *view, const char *sql, struct sql_text *out,
                                    bool *out_any, stoa_error *err) {
    struct tokens tokens = {0};
    size_t size = strlen(sql);
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out_any = false;
    stoa_sql_text_init(out, view->pool, sql, size);
    if (!may_have_uri(sql) ||
        stoa_sql_tokens_init(&tokens, view->pool, sql, size, NULL) != STOA_OK) {
        return STOA_OK; /* what is no statement is the engine's to refuse */
    }
    STOA_CHECK(stoa_pool_allocate_array(view->pool, 1, sizeof(struct rewriting), &memory, err));
    struct rewriting *rewriting = memory;
    *rewriting = (struct rewriting){.view = view, .tokens = &tokens, .out = out};
    rewriting->levels[0].is_query = true;
    for (int32_t i = 0; i < tokens.count; i++) {
        STOA_CHECK(rewrite_token(rewriting, i, err));
    }
    if (rewriting->any) {
        STOA_CHECK(stoa_sql_text_piece(out, rewriting->copied, size, err));
    }
    *out_any = rewriting->any;

done:
    stoa_pool_free(view->pool, memory, sizeof(struct rewriting));
    stoa_sql_tokens_release(&tokens);
    return status;
}
