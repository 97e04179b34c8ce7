/* Every verb of the command: what it takes, what it does, how to use it. Dispatch, --help, shell
 * completion and the manual page are made from this table, so that they cannot disagree. */
#include <string.h>

#include "cli.h"

#define FORMAT_OPTION                                                                              \
    {"--format", 0, "F",                                                                           \
     "table, csv, tsv, json, jsonl, markdown, line, arrow, arrows or parquet (default: table on a "   \
     "terminal, csv into a pipe, by name with -o)"}
#define OUTPUT_OPTION                                                                              \
    {"--output", 'o', "FILE", "write to FILE, all of it or nothing"}
#define KEYS_OPTION                                                                                \
    {"--keys", 0, "FILE", "keys of encrypted Parquet: lines 'footer HEX', 'column PATH HEX'"}
#define INT96_OPTION                                                                               \
    {"--int96", 0, "UNIT",                                                                         \
     "of Parquet's INT96 timestamps: ns (default, exact, years 1677 to 2262), us or ms"}
#define DURABILITY_OPTION                                                                          \
    {"--durability", 0, "D",                                                                       \
     "what the write survives when the command ends: none, buffered (default: the process), "      \
     "interval, sync (the machine)"}
#define FROM_OPTION                                                                                \
    {"--from", 0, "K", "the first key, or its first columns with commas between"}
#define TO_OPTION                                                                                  \
    {"--to", 0, "K", "the first key that is not taken, or its first columns"}
#define QUIET_OPTION                                                                               \
    {"--quiet", 'q', NULL, "no progress bar and no summary line"}

const stoa_cli_verb stoa_cli_verbs[] = {
    {.name = "init",
     .positionals = "DB",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "make an empty database",
     .examples = "stoa init flights.stoa",
     .options = {QUIET_OPTION},
     .run = stoa_cli_init},
    {.name = "load",
     .positionals = "DB TABLE FILE…",
     .positionals_min = 3,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "load files into a table, all or nothing",
     .description = "Reads Parquet, Arrow IPC, CSV, TSV, JSON and JSON Lines, plain or compressed "
                    "with gzip, zstd or lz4. FILE may be a glob in quotes, or - for standard "
                    "input. The database is made when it is not there.",
     .examples = "stoa load flights.stoa flights flights-3m.parquet\n"
                 "stoa load flights.stoa log 'logs/*.jsonl.gz' --mode append\n"
                 "cat airports.csv | stoa load flights.stoa airports - --format csv\n"
                 "stoa load x.stoa orders orders.csv --schema 'id long not null, total decimal(10, "
                 "2)'\n"
                 "stoa load x.stoa totals totals.csv --kind state --key user --merge 'total add'\n"
                 "stoa load x.stoa totals more.csv --mode upsert\n"
                 "stoa load x.stoa totals changes.csv --mode merge",
     .options = {{"--mode", 0, "M",
                  "create (default), append, overwrite, upsert: rows replace those of their keys, or "
                  "merge: they change them by its operators"},
                 {"--kind", 0, "K", "parquet (default), memory, or state: rows with a key that change"},
                 {"--schema", 0, "SPEC", "columns and types: 'id long not null, tags list<string>'"},
                 {"--format", 0, "F",
                  "parquet, arrow, csv, tsv, json or jsonl (default: by content and name)"},
                 {"--on-error", 0, "WHAT",
                  "fail (default), or reject:FILE to set rows aside that do not fit"},
                 {"--no-hive", 0, NULL, "folders like day=2024-01-01 make no columns"},
                 KEYS_OPTION,
                 INT96_OPTION,
                 {"--sort", 0, "COLS",
                  "the order of rows in each file: 'day, id desc nulls first' (default: as they come)"},
                 {"--key", 0, "COLS", "of a new state table: 'user, ts desc'"},
                 {"--merge", 0, "OPS",
                  "how put --merge changes its columns: 'total add, seen max' (default: last)"},
                 {"--ttl", 0, "COL AGE", "its rows are gone AGE after what COL says: 'seen 7d'"},
                 {"--compaction", 0, "STYLE",
                  "of its files: leveled (default), tiered, or fifo: the oldest go"},
                 {"--fifo-bytes", 0, "N", "that it may have with --compaction fifo"},
                 {"--filter-bits", 0, "N", "of its bloom filters, a key (default: 10); 0: none"},
                 {"--partition", 0, "FIELDS",
                  "folders and files by column or transform: 'status, month(ts), bucket(16, id)'"},
                 {"--codec", 0, "C", "zstd (default), snappy, lz4_raw, gzip, brotli or none"},
                 {"--batch-rows", 0, "N", "rows that are checked and written at once"},
                 QUIET_OPTION},
     .run = stoa_cli_load},
    {.name = "sql",
     .positionals = "DB [QUERY…]",
     .positionals_min = 1,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "run SQL over every table and any file named in the query",
     .description = "Without a query, statements are read from standard input. Tables are named "
                    "as they are; files stand in single quotes.",
     .examples = "stoa sql flights.stoa 'select origin, count(*) from flights group by 1'\n"
                 "stoa sql flights.stoa \"select * from flights join 'airports.csv' on origin = "
                 "iata\"\n"
                 "stoa sql flights.stoa -f report.sql --format json -o report.json",
     .options = {{"--file", 'f', "FILE", "read the statements from FILE (- is standard input)"},
                 FORMAT_OPTION,
                 OUTPUT_OPTION,
                 {"--rows", 0, "N", "rows that a table shows (default 40, 0 is all)"},
                 {"--width", 0, "N", "columns that a table may take (default: the terminal's)"},
                 {"--explain", 0, NULL,
                  "afterwards, on standard error: how tables were read and what was skipped"},
                 {"--dialect", 0, "D", "duckdb"}},
     .run = stoa_cli_sql},
    {.name = "shell",
     .positionals = "DB",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "run SQL interactively",
     .description = "Statements end with a semicolon and may span lines. .help lists the shell's "
                    "own commands. Ctrl-C cancels a running query, or empties the line.",
     .examples = "stoa shell flights.stoa",
     .options = {{"--format", 0, "F", "how results are shown at first (default table)"}},
     .run = stoa_cli_shell},
    {.name = "tables",
     .positionals = "DB",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "list the tables with kind, rows, bytes and files",
     .examples = "stoa tables flights.stoa",
     .options = {FORMAT_OPTION, OUTPUT_OPTION},
     .run = stoa_cli_tables},
    {.name = "schema",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "show a table's columns with field ids and types",
     .examples = "stoa schema flights.stoa flights",
     .options = {FORMAT_OPTION, OUTPUT_OPTION},
     .run = stoa_cli_schema},
    {.name = "summary",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "show counts, nulls, range, mean and median of each column",
     .examples = "stoa summary flights.stoa flights",
     .options = {FORMAT_OPTION, OUTPUT_OPTION},
     .run = stoa_cli_summary},
    {.name = "history",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "list a table's snapshots",
     .examples = "stoa history flights.stoa flights",
     .options = {FORMAT_OPTION, OUTPUT_OPTION},
     .run = stoa_cli_history},
    {.name = "files",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "list the data files that a table is made of",
     .examples = "stoa files flights.stoa flights",
     .options = {FORMAT_OPTION, OUTPUT_OPTION},
     .run = stoa_cli_files},
    {.name = "export",
     .positionals = "DB TABLE|QUERY",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "write a table or the result of a query to a file",
     .description = "Options from --codec to --encoding are for Parquet. Sizes take units: 64MiB.",
     .examples = "stoa export flights.stoa flights -o flights.parquet\n"
                 "stoa export flights.stoa 'select * from flights where delay > 60' -o late.csv\n"
                 "stoa export flights.stoa flights -o small.parquet --profile modern --level 9\n"
                 "stoa export flights.stoa flights -o sorted.parquet --sort 'origin, date desc' "
                 "--bloom tail",
     .options = {OUTPUT_OPTION,
                 FORMAT_OPTION,
                 {"--sort", 0, "COLS",
                  "sort the rows: 'day, id desc nulls first'; a Parquet file says that they are"},
                 {"--codec", 0, "C", "zstd (default), snappy, lz4_raw, gzip, brotli or none"},
                 {"--level", 0, "N", "of the codec: zstd -7 to 22, gzip 1 to 12, lz4 1 to 12, "
                                     "brotli 1 to 11"},
                 {"--profile", 0, "P",
                  "compatible (default): read fast by every engine; modern: smaller, with delta "
                  "encodings and pages of version 2"},
                 {"--row-group-rows", 0, "N", "rows of a row group (default 122880)"},
                 {"--row-group-bytes", 0, "SIZE",
                  "memory that its rows take at most (default 128MiB)"},
                 {"--page-bytes", 0, "SIZE", "bytes of a page's values (default 1MiB)"},
                 {"--page-rows", 0, "N", "rows of a page (default 20480)"},
                 {"--bloom", 0, "COLS", "columns that get bloom filters"},
                 {"--encoding", 0, "COL=ENC,…",
                  "plain, dictionary, rle, delta_binary_packed, delta_length_byte_array, "
                  "delta_byte_array or byte_stream_split (default: by cost)"},
                 {"--partition", 0, "FIELDS",
                  "a folder of Parquet files by column or transform: 'status, month(ts)'"},
                 {"--overwrite", 0, NULL, "replace a folder that is not empty"},
                 QUIET_OPTION},
     .run = stoa_cli_export},
    {.name = "cat",
     .positionals = "FILE…",
     .positionals_min = 1,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "show the rows of any file that Stoa reads",
     .description = "FILE may be a URI, a glob in quotes, or - for standard input. Several files are "
                    "one result, in order, with the columns of all of them. Rows are shown as they "
                    "are read. Of Parquet files no more is read than what is shown.",
     .examples = "stoa cat airports.csv\n"
                 "stoa cat flights-3m.parquet --rows 10\n"
                 "stoa cat 's3://lake/flights/*.parquet' --columns origin,delay --where 'delay > 60' "
                 "-o late.csv\n"
                 "stoa cat events.jsonl.gz --limit 1000 --format parquet > head.parquet",
     .options = {{"--columns", 0, "NAMES", "these columns, in this order: 'id, total' (default: all)"},
                 {"--where", 0, "TEXT", "rows for which this is true: \"total > 50 and day is not null\""},
                 {"--limit", 0, "N", "at most N rows"},
                 {"--no-hive", 0, NULL, "folders like day=2024-01-01 make no columns"},
                 KEYS_OPTION,
                 INT96_OPTION,
                 FORMAT_OPTION,
                 OUTPUT_OPTION,
                 {"--input-format", 0, "F", "of FILE (default: by content and name)"},
                 {"--rows", 0, "N", "rows that a table shows (default 40, 0 is all)"}},
     .run = stoa_cli_cat},
    {.name = "inspect",
     .positionals = "FILE…",
     .positionals_min = 1,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "show what a Parquet or Arrow file, or one of state tables, holds",
     .description = "Of a Parquet file: its schema, and for each row group and column encodings, sizes, "
                    "counts, bounds and indexes. It is text on a terminal and JSON into a pipe; Arrow "
                    "files and those of state tables (MANIFEST-…, .log, .sst) are always JSON.",
     .examples = "stoa inspect flights-3m.parquet\n"
                 "stoa inspect --pages --text flights-3m.parquet | less",
     .options = {{"--pages", 0, NULL,
                  "also every page of a Parquet file: place, sizes, rows, encoding, checksum, bounds; every "
                  "stripe of an .sst and record of a .log"},
                 KEYS_OPTION,
                 {"--text", 0, NULL, "text, also into a pipe"},
                 {"--json", 0, NULL, "JSON, also on a terminal"}},
     .run = stoa_cli_inspect},
    {.name = "put",
     .positionals = "DB TABLE VALUE…",
     .positionals_min = 3,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "write a row of a state table, in place of the one with its key",
     .description = "VALUEs are a whole row, in the order of the schema; NULL is a null. With --json each "
                    "VALUE is a row as a JSON object. A single - reads rows from standard input, all or "
                    "nothing.",
     .examples = "stoa put app.stoa totals ada 12.50 '2024-02-29 12:30:00'\n"
                 "stoa put app.stoa totals ada 1 NULL --merge\n"
                 "stoa put app.stoa users --json '{\"id\": 7, \"tags\": [\"new\"]}'\n"
                 "stoa put app.stoa totals - < rows.jsonl",
     .options = {{"--merge", 0, NULL,
                  "VALUEs change the row by its merge operators: 'add' adds; NULL changes nothing"},
                 {"--json", 0, NULL, "each VALUE is a row: '{\"user\": \"ada\", \"total\": 12.5}'"},
                 {"--input-format", 0, "F",
                  "of standard input: jsonl (default), csv, tsv, json, parquet or arrow"},
                 DURABILITY_OPTION},
     .run = stoa_cli_put},
    {.name = "get",
     .positionals = "DB TABLE KEY…",
     .positionals_min = 3,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "show the row of a state table that has this key",
     .description = "KEY… is a value for each column of the key. The exit code is 1 when there is no such "
                    "key.",
     .examples = "stoa get app.stoa totals ada\n"
                 "stoa get app.stoa visits ada 2024-02-29 --columns pages --format json",
     .options = {{"--columns", 0, "NAMES", "these columns, in this order: 'id, total' (default: all)"},
                 FORMAT_OPTION,
                 OUTPUT_OPTION},
     .run = stoa_cli_get},
    {.name = "delete",
     .positionals = "DB TABLE [KEY…]",
     .positionals_min = 2,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "delete a row of a state table by its key, or a range of keys",
     .description = "A key that is not there is no error.",
     .examples = "stoa delete app.stoa totals ada\n"
                 "stoa delete app.stoa visits --from ada,2024-01-01 --to ada,2024-02-01",
     .options = {FROM_OPTION, TO_OPTION, DURABILITY_OPTION},
     .run = stoa_cli_delete},
    {.name = "scan",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "show rows of a state table in the order of their keys",
     .description = "Values with commas in a key of several columns stand in \"quotes\". A column that is "
                    "descending in the key has its largest value first.",
     .examples = "stoa scan app.stoa totals --from a --to b\n"
                 "stoa scan app.stoa visits --prefix ada --reverse --limit 10\n"
                 "stoa scan app.stoa totals --where 'total > 50' --columns user -o big.csv",
     .options = {FROM_OPTION,
                 TO_OPTION,
                 {"--prefix", 0, "K", "all keys whose first columns are these"},
                 {"--where", 0, "TEXT", "rows for which this is true: \"total > 50 and day is not null\""},
                 {"--columns", 0, "NAMES", "these columns, in this order: 'id, total' (default: all)"},
                 {"--reverse", 0, NULL, "from the last key to the first"},
                 {"--limit", 0, "N", "at most N rows"},
                 FORMAT_OPTION,
                 OUTPUT_OPTION,
                 {"--rows", 0, "N", "rows that a table shows (default 40, 0 is all)"}},
     .run = stoa_cli_scan},
    {.name = "compact",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "merge the files of a state table, and leave out what was replaced or deleted",
     .examples = "stoa compact app.stoa totals\n"
                 "stoa compact app.stoa visits --from ada --to bob",
     .options = {FROM_OPTION, TO_OPTION, QUIET_OPTION},
     .run = stoa_cli_compact},
    {.name = "publish",
     .positionals = "DB TABLE TARGET",
     .positionals_min = 3,
     .positionals_max = 3,
     .summary = "write a state table as a new snapshot of a Parquet table",
     .description = "TARGET is made when it is missing; otherwise its rows and columns are replaced, all "
                    "or nothing. Another process may write TABLE meanwhile: what it holds at one moment "
                    "is published.",
     .examples = "stoa publish app.stoa totals totals_published",
     .options = {QUIET_OPTION},
     .run = stoa_cli_publish},
    {.name = "stats",
     .positionals = "DB",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "show what the state tables consist of, level by level",
     .description = "Rows are versions of rows, those that were replaced or deleted among them.",
     .examples = "stoa stats app.stoa\n"
                 "stoa stats app.stoa --prometheus",
     .options = {{"--prometheus", 0, NULL, "as text for Prometheus, with all figures"},
                 FORMAT_OPTION,
                 OUTPUT_OPTION},
     .run = stoa_cli_stats},
    {.name = "backup",
     .positionals = "[DB] BACKUP",
     .positionals_min = 1,
     .positionals_max = 2,
     .summary = "add a whole database, as of one moment, to a directory of backups",
     .description = "Other processes may write meanwhile. Files that BACKUP has already are not copied "
                    "again. BACKUP is made when it is missing. --list, --verify and --remove look at it "
                    "or change it, and need no DB; nor does --keep by itself.",
     .examples = "stoa backup app.stoa /backups/app --keep 7\n"
                 "stoa backup /backups/app --list\n"
                 "stoa backup /backups/app --verify --generation 3\n"
                 "stoa backup /backups/app --remove 3",
     .options = {{"--list", 0, NULL, "show the generations"},
                 {"--verify", 0, NULL, "read every byte of all generations and compare it with its hash"},
                 {"--generation", 0, "N", "of --verify: only this one"},
                 {"--remove", 0, "N", "remove this generation, and what no other one needs"},
                 {"--keep", 0, "N", "remove all generations but the newest N, at the end"},
                 FORMAT_OPTION,
                 OUTPUT_OPTION,
                 QUIET_OPTION},
     .run = stoa_cli_backup},
    {.name = "restore",
     .positionals = "BACKUP DB",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "make a database of what a backup holds",
     .description = "DB must not exist; it appears whole or not at all. Every byte is compared with its "
                    "hash.",
     .examples = "stoa restore /backups/app app.stoa\n"
                 "stoa restore /backups/app app-monday.stoa --generation 3",
     .options = {{"--generation", 0, "N", "this one (default: the newest)"}, QUIET_OPTION},
     .run = stoa_cli_restore},
    {.name = "clone",
     .positionals = "DB TARGET",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "make a second database of what this one is at one moment",
     .description = "TARGET must not exist; it appears whole or not at all. On the same file system its data "
                    "files are links, which take no space. Other processes may write DB meanwhile; nothing "
                    "that happens to one of the two concerns the other.",
     .examples = "stoa clone app.stoa app-test.stoa",
     .options = {QUIET_OPTION},
     .run = stoa_cli_clone},
    {.name = "drop",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "drop a table",
     .examples = "stoa drop flights.stoa airports",
     .options = {{"--if-exists", 0, NULL, "a table that is not there is no error"}},
     .run = stoa_cli_drop},
    {.name = "rename",
     .positionals = "DB TABLE NEW_NAME",
     .positionals_min = 3,
     .positionals_max = 3,
     .summary = "rename a table; no file is touched",
     .examples = "stoa rename flights.stoa flights flights_2001",
     .run = stoa_cli_rename},
    {.name = "alter",
     .positionals = "DB TABLE CHANGE…",
     .positionals_min = 4,
     .positionals_max = STOA_CLI_POSITIONALS_MAX,
     .summary = "change the columns of a state table; no row is written anew",
     .description = "CHANGE is add 'COL TYPE', drop COL, rename COL NEW, widen COL TYPE or nullable COL; "
                    "several are made together, or none of them. Columns of the key are only renamed.",
     .examples = "stoa alter app.stoa totals add 'score double'\n"
                 "stoa alter app.stoa totals widen count long rename seen last_seen drop note",
     .run = stoa_cli_alter},
    {.name = "expire",
     .positionals = "DB TABLE",
     .positionals_min = 2,
     .positionals_max = 2,
     .summary = "forget old snapshots and remove the files that only they need",
     .examples = "stoa expire flights.stoa flights --older-than 7d",
     .options = {{"--older-than", 0, "AGE", "7d (default), 12h, 30m, 45s"}},
     .run = stoa_cli_expire},
    {.name = "verify",
     .positionals = "DB [TABLE]",
     .positionals_min = 1,
     .positionals_max = 2,
     .summary = "read every byte and check every checksum",
     .examples = "stoa verify flights.stoa",
     .run = stoa_cli_verify},
    {.name = "repair",
     .positionals = "DB",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "make damaged state tables usable again, as far as their files are whole",
     .description = "Says each damage, on standard error, and what is lost. Tables of other kinds are not "
                    "looked at: they can be loaded anew. All is done or nothing; where nothing is damaged "
                    "nothing is changed. No other process may write the state tables meanwhile. With "
                    "--dry-run the exit code is 4 when something is damaged.",
     .examples = "stoa repair app.stoa --dry-run\n"
                 "stoa repair app.stoa",
     .options = {{"--dry-run", 0, NULL, "only say what is damaged"}},
     .run = stoa_cli_repair},
    {.name = "completion",
     .positionals = "SHELL",
     .positionals_min = 1,
     .positionals_max = 1,
     .summary = "print completion for bash, zsh or fish",
     .examples = "source <(stoa completion bash)",
     .run = stoa_cli_completion},
    {.name = "manual",
     .positionals = "",
     .positionals_min = 0,
     .positionals_max = 0,
     .summary = "print the manual page",
     .examples = "stoa manual | man -l -",
     .run = stoa_cli_manual},
};

const int stoa_cli_verb_count = (int)(sizeof stoa_cli_verbs / sizeof stoa_cli_verbs[0]);

const stoa_cli_verb *stoa_cli_verb_find(const char *name) {
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        if (strcmp(stoa_cli_verbs[i].name, name) == 0) {
            return &stoa_cli_verbs[i];
        }
    }
    return NULL;
}
