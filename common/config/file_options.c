#include "config/file_options.h"

const struct config_option config_file_options[CONFIG_FILES_COUNT] = {
    {.path     = "files.size_max",
     .kind     = CONFIG_SIZE,
     .offset   = offsetof(struct config_files, size_max),
     .fallback = "32MiB",
     .min      = 1,
     .max      = CONFIG_FILE_SIZE_MAX,
     .doc      = "The largest file that is stored."},
    {.path   = "files.types",
     .kind   = CONFIG_LIST,
     .offset = offsetof(struct config_files, types),
     .doc    = "Media types that are stored, in place of the usual ones; programs never are."},
};
