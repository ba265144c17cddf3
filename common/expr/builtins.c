/* The table of builtins: native ones, those of the compiler, and those that are excluded. */
#include "expr/builtins.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/diagnostic.h"
#include "expr/prelude.h"

#include <math.h>

enum { NAMES_MAX = 512 /* of builtins; there are some 250 */ };

/* clang-format off: a table; sorted by name and arity */
static const struct builtin table[] = {
    {"_gaps", 2, BUILTIN_NATIVE, .has_pattern = true, .call = native_gaps},
    {"_group_by", 1, BUILTIN_NATIVE, .call = native_group_by},
    {"_indices", 1, BUILTIN_NATIVE, .call = native_indices},
    {"_match", 3, BUILTIN_NATIVE, .has_pattern = true, .call = native_match},
    {"_max_by", 1, BUILTIN_NATIVE, .call = native_max_by},
    {"_min_by", 1, BUILTIN_NATIVE, .call = native_min_by},
    {"_one", 3, BUILTIN_SPECIAL, .special = SPECIAL_ONE},
    {"_sort_by", 1, BUILTIN_NATIVE, .call = native_sort_by},
    {"_strindices", 1, BUILTIN_NATIVE, .call = native_strindices},
    {"_unique_by", 1, BUILTIN_NATIVE, .call = native_unique_by},
    {"abs", 0, BUILTIN_NATIVE, .call = native_abs},
    {"acos", 0, BUILTIN_NATIVE, .call = native_math, .real = acos},
    {"acosh", 0, BUILTIN_NATIVE, .call = native_math, .real = acosh},
    {"add", 0, BUILTIN_NATIVE, .call = native_add},
    {"ascii", 0, BUILTIN_NATIVE, .call = native_ascii},
    {"ascii_downcase", 0, BUILTIN_NATIVE, .call = native_ascii_downcase},
    {"ascii_upcase", 0, BUILTIN_NATIVE, .call = native_ascii_upcase},
    {"asin", 0, BUILTIN_NATIVE, .call = native_math, .real = asin},
    {"asinh", 0, BUILTIN_NATIVE, .call = native_math, .real = asinh},
    {"atan", 0, BUILTIN_NATIVE, .call = native_math, .real = atan},
    {"atan2", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = atan2},
    {"atanh", 0, BUILTIN_NATIVE, .call = native_math, .real = atanh},
    {"bsearch", 1, BUILTIN_NATIVE, .call = native_bsearch},
    {"builtins", 0, BUILTIN_NATIVE, .call = native_builtins},
    {"cbrt", 0, BUILTIN_NATIVE, .call = native_math, .real = cbrt},
    {"ceil", 0, BUILTIN_NATIVE, .call = native_ceil},
    {"contains", 1, BUILTIN_NATIVE, .call = native_contains},
    {"copysign", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = copysign},
    {"cos", 0, BUILTIN_NATIVE, .call = native_math, .real = cos},
    {"cosh", 0, BUILTIN_NATIVE, .call = native_math, .real = cosh},
    {"debug", 0, BUILTIN_EXCLUDED, .text = "an expression prints nothing"},
    {"debug", 1, BUILTIN_EXCLUDED, .text = "an expression prints nothing"},
    {"delpaths", 1, BUILTIN_NATIVE, .call = native_delpaths},
    {"drem", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = drem},
    {"empty", 0, BUILTIN_SPECIAL, .special = SPECIAL_EMPTY},
    {"endswith", 1, BUILTIN_NATIVE, .call = native_endswith},
    {"env", 0, BUILTIN_EXCLUDED,
     .text = "an expression does not see the environment of the service"},
    {"erf", 0, BUILTIN_NATIVE, .call = native_math, .real = erf},
    {"erfc", 0, BUILTIN_NATIVE, .call = native_math, .real = erfc},
    {"error", 0, BUILTIN_SPECIAL, .special = SPECIAL_ERROR},
    {"error", 1, BUILTIN_SPECIAL, .special = SPECIAL_ERROR},
    {"exp", 0, BUILTIN_NATIVE, .call = native_math, .real = exp},
    {"exp10", 0, BUILTIN_NATIVE, .call = native_math, .real = exp10},
    {"exp2", 0, BUILTIN_NATIVE, .call = native_math, .real = exp2},
    {"explode", 0, BUILTIN_NATIVE, .call = native_explode},
    {"expm1", 0, BUILTIN_NATIVE, .call = native_math, .real = expm1},
    {"fabs", 0, BUILTIN_NATIVE, .call = native_fabs},
    {"false", 0, BUILTIN_SPECIAL, .special = SPECIAL_FALSE},
    {"fdim", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = fdim},
    {"first", 1, BUILTIN_SPECIAL, .special = SPECIAL_FIRST},
    {"flatten", 0, BUILTIN_NATIVE, .call = native_flatten},
    {"flatten", 1, BUILTIN_NATIVE, .call = native_flatten_to},
    {"floor", 0, BUILTIN_NATIVE, .call = native_floor},
    {"fma", 3, BUILTIN_NATIVE, .call = native_fma},
    {"fmax", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = fmax},
    {"fmin", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = fmin},
    {"fmod", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = fmod},
    {"format", 1, BUILTIN_NATIVE, .call = native_format},
    {"frexp", 0, BUILTIN_NATIVE, .call = native_frexp},
    {"fromjson", 0, BUILTIN_NATIVE, .call = native_fromjson},
    {"gamma", 0, BUILTIN_NATIVE, .call = native_math, .real = math_lgamma},
    {"get_jq_origin", 0, BUILTIN_EXCLUDED, .text = "an expression reads no files"},
    {"get_prog_origin", 0, BUILTIN_EXCLUDED, .text = "an expression reads no files"},
    {"get_search_list", 0, BUILTIN_EXCLUDED,
     .text = "modules are not supported: an expression reads no files"},
    {"getpath", 1, BUILTIN_SPECIAL, .special = SPECIAL_GETPATH},
    {"gmtime", 0, BUILTIN_NATIVE, .call = native_gmtime},
    {"halt", 0, BUILTIN_EXCLUDED, .text = "an expression cannot end the service: use error"},
    {"halt_error", 0, BUILTIN_EXCLUDED, .text = "an expression cannot end the service: use error"},
    {"halt_error", 1, BUILTIN_EXCLUDED, .text = "an expression cannot end the service: use error"},
    {"has", 1, BUILTIN_NATIVE, .call = native_has},
    {"have_decnum", 0, BUILTIN_NATIVE, .call = native_have_decnum},
    {"have_literal_numbers", 0, BUILTIN_NATIVE, .call = native_have_literal_numbers},
    {"hypot", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = hypot},
    {"implode", 0, BUILTIN_NATIVE, .call = native_implode},
    {"infinite", 0, BUILTIN_NATIVE, .call = native_infinite},
    {"input", 0, BUILTIN_EXCLUDED, .text = "an expression has one input: use . or a variable"},
    {"input_filename", 0, BUILTIN_EXCLUDED, .text = "an expression reads no files"},
    {"input_line_number", 0, BUILTIN_EXCLUDED, .text = "an expression reads no files"},
    {"inputs", 0, BUILTIN_EXCLUDED, .text = "an expression has one input: use . or a variable"},
    {"isinfinite", 0, BUILTIN_NATIVE, .call = native_isinfinite},
    {"isnan", 0, BUILTIN_NATIVE, .call = native_isnan},
    {"isnormal", 0, BUILTIN_NATIVE, .call = native_isnormal},
    {"j0", 0, BUILTIN_NATIVE, .call = native_math, .real = j0},
    {"j1", 0, BUILTIN_NATIVE, .call = native_math, .real = j1},
    {"jn", 2, BUILTIN_NATIVE, .call = native_jn},
    {"join", 1, BUILTIN_NATIVE, .call = native_join},
    {"keys", 0, BUILTIN_NATIVE, .call = native_keys},
    {"keys_unsorted", 0, BUILTIN_NATIVE, .call = native_keys_unsorted},
    {"last", 1, BUILTIN_SPECIAL, .special = SPECIAL_LAST},
    {"ldexp", 2, BUILTIN_NATIVE, .call = native_ldexp},
    {"length", 0, BUILTIN_NATIVE, .call = native_length},
    {"lgamma", 0, BUILTIN_NATIVE, .call = native_math, .real = math_lgamma},
    {"lgamma_r", 0, BUILTIN_NATIVE, .call = native_lgamma_r},
    {"localtime", 0, BUILTIN_NATIVE, .call = native_gmtime},
    {"log", 0, BUILTIN_NATIVE, .call = native_math, .real = log},
    {"log10", 0, BUILTIN_NATIVE, .call = native_math, .real = log10},
    {"log1p", 0, BUILTIN_NATIVE, .call = native_math, .real = log1p},
    {"log2", 0, BUILTIN_NATIVE, .call = native_math, .real = log2},
    {"logb", 0, BUILTIN_NATIVE, .call = native_math, .real = logb},
    {"ltrim", 0, BUILTIN_NATIVE, .call = native_ltrim},
    {"ltrimstr", 1, BUILTIN_NATIVE, .call = native_ltrimstr},
    {"max", 0, BUILTIN_NATIVE, .call = native_max},
    {"min", 0, BUILTIN_NATIVE, .call = native_min},
    {"mktime", 0, BUILTIN_NATIVE, .call = native_mktime},
    {"modf", 0, BUILTIN_NATIVE, .call = native_modf},
    {"modulemeta", 0, BUILTIN_EXCLUDED,
     .text = "modules are not supported: an expression reads no files"},
    {"nan", 0, BUILTIN_NATIVE, .call = native_nan},
    {"nearbyint", 0, BUILTIN_NATIVE, .call = native_math, .real = nearbyint},
    {"nextafter", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = nextafter},
    {"nexttoward", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = nextafter},
    {"not", 0, BUILTIN_SPECIAL, .special = SPECIAL_NOT},
    {"now", 0, BUILTIN_NATIVE, .call = native_now},
    {"null", 0, BUILTIN_SPECIAL, .special = SPECIAL_NULL},
    {"path", 1, BUILTIN_SPECIAL, .special = SPECIAL_PATH},
    {"pow", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = pow},
    {"pow10", 0, BUILTIN_NATIVE, .call = native_math, .real = exp10},
    {"range", 2, BUILTIN_SPECIAL, .special = SPECIAL_RANGE},
    {"range", 3, BUILTIN_SPECIAL, .special = SPECIAL_RANGE},
    {"remainder", 2, BUILTIN_NATIVE, .call = native_math2, .real2 = remainder},
    {"reverse", 0, BUILTIN_NATIVE, .call = native_reverse},
    {"rint", 0, BUILTIN_NATIVE, .call = native_math, .real = rint},
    {"round", 0, BUILTIN_NATIVE, .call = native_round},
    {"rtrim", 0, BUILTIN_NATIVE, .call = native_rtrim},
    {"rtrimstr", 1, BUILTIN_NATIVE, .call = native_rtrimstr},
    {"scalb", 2, BUILTIN_NATIVE, .call = native_scalb},
    {"scalbln", 2, BUILTIN_NATIVE, .call = native_ldexp},
    {"setpath", 2, BUILTIN_NATIVE, .keeps = true, .call = native_setpath},
    {"significand", 0, BUILTIN_NATIVE, .call = native_math, .real = significand},
    {"sin", 0, BUILTIN_NATIVE, .call = native_math, .real = sin},
    {"sinh", 0, BUILTIN_NATIVE, .call = native_math, .real = sinh},
    {"sort", 0, BUILTIN_NATIVE, .call = native_sort},
    {"split", 1, BUILTIN_NATIVE, .call = native_split},
    {"split", 2, BUILTIN_NATIVE, .has_pattern = true, .call = native_split_regex},
    {"sqrt", 0, BUILTIN_NATIVE, .call = native_math, .real = sqrt},
    {"startswith", 1, BUILTIN_NATIVE, .call = native_startswith},
    {"stderr", 0, BUILTIN_EXCLUDED, .text = "an expression prints nothing"},
    {"strflocaltime", 1, BUILTIN_NATIVE, .call = native_strflocaltime},
    {"strftime", 1, BUILTIN_NATIVE, .call = native_strftime},
    {"strptime", 1, BUILTIN_NATIVE, .call = native_strptime},
    {"tan", 0, BUILTIN_NATIVE, .call = native_math, .real = tan},
    {"tanh", 0, BUILTIN_NATIVE, .call = native_math, .real = tanh},
    {"tgamma", 0, BUILTIN_NATIVE, .call = native_math, .real = tgamma},
    {"to_entries", 0, BUILTIN_NATIVE, .call = native_to_entries},
    {"toarray", 0, BUILTIN_NATIVE, .call = native_toarray},
    {"toboolean", 0, BUILTIN_NATIVE, .call = native_toboolean},
    {"tojson", 0, BUILTIN_NATIVE, .call = native_tojson},
    {"tonumber", 0, BUILTIN_NATIVE, .call = native_tonumber},
    {"tostring", 0, BUILTIN_NATIVE, .call = native_tostring},
    {"trim", 0, BUILTIN_NATIVE, .call = native_trim},
    {"trimstr", 1, BUILTIN_NATIVE, .call = native_trimstr},
    {"true", 0, BUILTIN_SPECIAL, .special = SPECIAL_TRUE},
    {"trunc", 0, BUILTIN_NATIVE, .call = native_trunc},
    {"type", 0, BUILTIN_NATIVE, .call = native_type},
    {"unique", 0, BUILTIN_NATIVE, .call = native_unique},
    {"utf8bytelength", 0, BUILTIN_NATIVE, .call = native_utf8bytelength},
    {"y0", 0, BUILTIN_NATIVE, .call = native_math, .real = y0},
    {"y1", 0, BUILTIN_NATIVE, .call = native_math, .real = y1},
    {"yn", 2, BUILTIN_NATIVE, .call = native_yn},
};
/* clang-format on */

/* By name, then by arity; names that only begin alike are ordered by length. */
static int compare(str name, uint32_t arity, const struct builtin *builtin)
{
    str other      = str_from(builtin->name);
    size_t shorter = name.len < other.len ? name.len : other.len;
    int order      = memcmp(name.ptr, other.ptr, shorter);
    if (order == 0) order = (name.len > other.len) - (name.len < other.len);
    if (order == 0) order = (arity > builtin->arity) - (arity < builtin->arity);
    return order;
}

static const struct builtin *find_in(const struct builtin *builtins, uint32_t count, str name,
                                     uint32_t arity)
{
    uint32_t from = 0;
    uint32_t to   = count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order       = compare(name, arity, &builtins[middle]);
        if (order == 0) return &builtins[middle];
        if (order < 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return NULL;
}

const struct builtin *builtin_find(str name, uint32_t arity)
{
    const struct builtin *found = find_in(table, ARRAY_LEN(table), name, arity);
    if (found) return found;
    uint32_t count                = 0;
    const struct builtin *prelude = prelude_table(&count);
    return find_in(prelude, count, name, arity);
}

const struct builtin *builtin_at(uint32_t index)
{
    ASSERT(index < ARRAY_LEN(table));
    return &table[index];
}

uint32_t builtin_index(const struct builtin *builtin)
{
    ASSERT(builtin >= table && builtin < table + ARRAY_LEN(table));
    return (uint32_t)(builtin - table);
}

bool builtin_has_name(str name)
{
    enum { ARITY_MAX = 4 };
    for (uint32_t arity = 0; arity <= ARITY_MAX; arity++) {
        if (builtin_find(name, arity)) return true;
    }
    return false;
}

static size_t names_add(const struct builtin *builtins, uint32_t count, const char **names)
{
    size_t added = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (builtins[i].name[0] == '_' || builtins[i].kind == BUILTIN_EXCLUDED) continue;
        names[added++] = builtins[i].name;
    }
    return added;
}

const char *builtin_nearest(str name)
{
    const char *names[NAMES_MAX];
    uint32_t more                 = 0;
    const struct builtin *prelude = prelude_table(&more);
    ASSERT(ARRAY_LEN(table) + more <= NAMES_MAX);
    size_t count = names_add(table, ARRAY_LEN(table), names);
    count += names_add(prelude, more, names + count);
    return nearest_name(name, names, count);
}

static void list(const struct builtin *builtins, uint32_t count, json *names)
{
    for (uint32_t i = 0; i < count; i++) {
        if (builtins[i].name[0] == '_' || builtins[i].kind == BUILTIN_EXCLUDED) continue;
        CLEANUP(buf_done) struct buf name = buf_init(64);
        (void)buf_printf(&name, "%s/%u", builtins[i].name, builtins[i].arity);
        json_array_push(names, json_text_new(buf_str(&name)));
    }
}

json native_builtins(struct expr_run *vm, json *args)
{
    (void)vm;
    (void)args;
    json names = json_array_new(ARRAY_LEN(table));
    list(table, ARRAY_LEN(table), &names);
    uint32_t count                = 0;
    const struct builtin *prelude = prelude_table(&count);
    list(prelude, count, &names);
    return names;
}
