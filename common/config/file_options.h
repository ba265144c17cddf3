/**
 * file_options: the section `files` of the configuration, the same for all that store files: the
 * gateway, and the tool-adapter for answers of services.
 */
#ifndef CONFIG_FILE_OPTIONS_H
#define CONFIG_FILE_OPTIONS_H

#include "config/config.h"

enum { CONFIG_FILE_SIZE_MAX = 32 << 20 /* bytes: as much as the store takes */ };

struct config_files {
    uint64_t size_max;        /* bytes of one */
    struct config_list types; /* empty: the usual ones (media/media_type.h) */
};

enum { CONFIG_FILES_COUNT = 2 };
extern const struct config_option config_file_options[CONFIG_FILES_COUNT];

#endif
