/*
 * The functions that are written in the language itself.
 *
 * A program that calls one gets its definition parsed and compiled with it, most often expanded in
 * place; so a program carries what it uses and nothing else, and no state is shared. Names that
 * begin with an underscore are for this file only, but harmless to call.
 */
#include "expr/prelude.h"

/* clang-format off: a table; sorted by name and arity */
static const struct builtin definitions[] = {
    {"IN", 1, BUILTIN_PRELUDE, .text = "def IN(s): any(s == .; .);"},
    {"IN", 2, BUILTIN_PRELUDE, .text = "def IN(src; s): any(src == s; .);"},
    {"INDEX", 1, BUILTIN_PRELUDE, .text = "def INDEX(f): INDEX(.[]; f);"},
    {"INDEX", 2, BUILTIN_PRELUDE,
     .text = "def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row);"},
    {"JOIN", 2, BUILTIN_PRELUDE, .text = "def JOIN($index; f): [.[] | [., $index[f]]];"},
    {"JOIN", 3, BUILTIN_PRELUDE, .text = "def JOIN($index; stream; f): stream | [., $index[f]];"},
    {"JOIN", 4, BUILTIN_PRELUDE,
     .text = "def JOIN($index; stream; f; join): stream | [., $index[f]] | join;"},
    {"_named", 0, BUILTIN_PRELUDE,
     .text = "def _named: reduce (.captures[] | select(.name != null)) as $c ({}; .[$c.name] = "
             "$c.string);"},
    {"_sub", 3, BUILTIN_PRELUDE,
     .text = "def _sub($gaps; $rest; s): . as $text | (reduce $gaps[] as [$gap, $names] ([]; "
             "[$names | s] as $new | reduce range($new | length) as $i (.; .[$i] += $gap + "
             "$new[$i])) | .[] + $rest) // $text;"},
    {"add", 1, BUILTIN_PRELUDE, .text = "def add(f): reduce f as $x (null; . + $x);"},
    {"all", 0, BUILTIN_PRELUDE, .text = "def all: all(.[]; .);"},
    {"all", 1, BUILTIN_PRELUDE, .text = "def all(f): all(.[]; f);"},
    {"all", 2, BUILTIN_PRELUDE,
     .text = "def all(g; f): first((g | f | if . then empty else false end), true);"},
    {"any", 0, BUILTIN_PRELUDE, .text = "def any: any(.[]; .);"},
    {"any", 1, BUILTIN_PRELUDE, .text = "def any(f): any(.[]; f);"},
    {"any", 2, BUILTIN_PRELUDE,
     .text = "def any(g; f): first((g | f | if . then true else empty end), false);"},
    {"arrays", 0, BUILTIN_PRELUDE, .text = "def arrays: select(type == \"array\");"},
    {"booleans", 0, BUILTIN_PRELUDE, .text = "def booleans: select(type == \"boolean\");"},
    {"capture", 1, BUILTIN_PRELUDE, .text = "def capture($re): match($re) | _named;"},
    {"capture", 2, BUILTIN_PRELUDE,
     .text = "def capture($re; $flags): match($re; $flags) | _named;"},
    {"combinations", 0, BUILTIN_PRELUDE,
     .text = "def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) "
             "as $rest | [$x] + $rest end;"},
    {"combinations", 1, BUILTIN_PRELUDE,
     .text = "def combinations(n): . as $all | [range(n) | $all] | combinations;"},
    {"date", 0, BUILTIN_PRELUDE, .text = "def date: todate;"},
    {"dateadd", 2, BUILTIN_PRELUDE, .text = "def dateadd(unit; n): . + n;"},
    {"datesub", 2, BUILTIN_PRELUDE, .text = "def datesub(unit; n): . - n;"},
    {"del", 1, BUILTIN_PRELUDE, .text = "def del(f): delpaths([path(f)]);"},
    {"finites", 0, BUILTIN_PRELUDE, .text = "def finites: select(isfinite);"},
    {"first", 0, BUILTIN_PRELUDE, .text = "def first: .[0];"},
    {"from_entries", 0, BUILTIN_PRELUDE,
     .text = "def from_entries: map({(.key // .Key // .name // .Name): (if has(\"value\") then "
             ".value else .Value end)}) | add // {};"},
    {"fromdate", 0, BUILTIN_PRELUDE, .text = "def fromdate: fromdateiso8601;"},
    {"fromdateiso8601", 0, BUILTIN_PRELUDE,
     .text = "def fromdateiso8601: strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime;"},
    {"fromstream", 1, BUILTIN_PRELUDE,
     .text = "def fromstream(f): foreach f as $event ({done: false}; (if .done then {done: false} "
             "else . end) | if ($event | length) == 2 then setpath([\"value\"] + $event[0]; "
             "$event[1]) | .done = ($event[0] | length == 0) else .done = ($event[0] | length == "
             "1) end; if .done then .value else empty end);"},
    {"group_by", 1, BUILTIN_PRELUDE, .text = "def group_by(f): _group_by(map([f]));"},
    {"gsub", 2, BUILTIN_PRELUDE, .text = "def gsub($re; s): sub($re; s; \"g\");"},
    {"gsub", 3, BUILTIN_PRELUDE, .text = "def gsub($re; s; flags): sub($re; s; flags + \"g\");"},
    {"in", 1, BUILTIN_PRELUDE, .text = "def in(xs): . as $key | xs | has($key);"},
    {"index", 1, BUILTIN_PRELUDE, .text = "def index($x): _indices($x) | .[0];"},
    {"indices", 1, BUILTIN_PRELUDE, .text = "def indices($x): _indices($x);"},
    {"inside", 1, BUILTIN_PRELUDE, .text = "def inside(xs): . as $part | xs | contains($part);"},
    {"isempty", 1, BUILTIN_PRELUDE, .text = "def isempty(g): first((g | false), true);"},
    {"isfinite", 0, BUILTIN_PRELUDE,
     .text = "def isfinite: type == \"number\" and (isinfinite | not);"},
    {"isvalid", 1, BUILTIN_PRELUDE, .text = "def isvalid(f): try (f | true) catch false;"},
    {"iterables", 0, BUILTIN_PRELUDE,
     .text = "def iterables: select(type == \"array\" or type == \"object\");"},
    {"last", 0, BUILTIN_PRELUDE, .text = "def last: .[-1];"},
    {"leaf_paths", 0, BUILTIN_PRELUDE, .text = "def leaf_paths: paths(scalars);"},
    {"limit", 2, BUILTIN_PRELUDE,
     .text = "def limit($n; f): if $n > 0 then label $enough | foreach f as $x ($n; . - 1; $x, if "
             ". <= 0 then break $enough else empty end) elif $n == 0 then empty else error(\"limit "
             "doesn't support negative count\") end;"},
    {"map", 1, BUILTIN_PRELUDE, .text = "def map(f): [.[] | f];"},
    {"map_values", 1, BUILTIN_PRELUDE, .text = "def map_values(f): .[] |= f;"},
    {"match", 1, BUILTIN_PRELUDE, .text = "def match($re): _match($re; null; \"match\") | .[];"},
    {"match", 2, BUILTIN_PRELUDE,
     .text = "def match(re; flags): _match(re; flags; \"match\") | .[];"},
    {"max_by", 1, BUILTIN_PRELUDE, .text = "def max_by(f): _max_by(map([f]));"},
    {"min_by", 1, BUILTIN_PRELUDE, .text = "def min_by(f): _min_by(map([f]));"},
    {"normals", 0, BUILTIN_PRELUDE, .text = "def normals: select(isnormal);"},
    {"nth", 1, BUILTIN_PRELUDE, .text = "def nth($n): .[$n];"},
    {"nth", 2, BUILTIN_PRELUDE,
     .text = "def nth($n; f): if $n < 0 then error(\"nth doesn't support negative indices\") else "
             "first(skip($n; f)) end;"},
    {"nulls", 0, BUILTIN_PRELUDE, .text = "def nulls: select(. == null);"},
    {"numbers", 0, BUILTIN_PRELUDE, .text = "def numbers: select(type == \"number\");"},
    {"objects", 0, BUILTIN_PRELUDE, .text = "def objects: select(type == \"object\");"},
    {"paths", 0, BUILTIN_PRELUDE, .text = "def paths: path(recurse) | select(length > 0);"},
    {"paths", 1, BUILTIN_PRELUDE,
     .text = "def paths(f): path(recurse | select(f)) | select(length > 0);"},
    {"pick", 1, BUILTIN_PRELUDE,
     .text = "def pick(f): . as $whole | reduce path(f) as $path (null; setpath($path; $whole | "
             "getpath($path)));"},
    {"range", 1, BUILTIN_PRELUDE, .text = "def range($n): range(0; $n);"},
    {"recurse", 0, BUILTIN_PRELUDE, .text = "def recurse: recurse(.[]?);"},
    {"recurse", 1, BUILTIN_PRELUDE, .text = "def recurse(f): def again: ., (f | again); again;"},
    {"recurse", 2, BUILTIN_PRELUDE,
     .text = "def recurse(f; more): def again: ., (f | select(more) | again); again;"},
    {"recurse_down", 0, BUILTIN_PRELUDE, .text = "def recurse_down: recurse;"},
    {"repeat", 1, BUILTIN_PRELUDE, .text = "def repeat(f): def again: f, again; again;"},
    {"rindex", 1, BUILTIN_PRELUDE, .text = "def rindex($x): _indices($x) | .[-1:][0];"},
    {"scalars", 0, BUILTIN_PRELUDE,
     .text = "def scalars: select(type != \"array\" and type != \"object\");"},
    {"scan", 1, BUILTIN_PRELUDE, .text = "def scan($re): scan($re; null);"},
    {"scan", 2, BUILTIN_PRELUDE,
     .text = "def scan($re; $flags): _match($re; \"g\" + $flags; \"scan\") | .[];"},
    {"select", 1, BUILTIN_PRELUDE, .text = "def select(f): if f then . else empty end;"},
    {"skip", 2, BUILTIN_PRELUDE,
     .text = "def skip($n; f): if $n > 0 then foreach f as $x ($n; . - 1; if . < 0 then $x else "
             "empty end) elif $n == 0 then f else error(\"skip doesn't support negative count\") "
             "end;"},
    {"sort_by", 1, BUILTIN_PRELUDE, .text = "def sort_by(f): _sort_by(map([f]));"},
    {"splits", 1, BUILTIN_PRELUDE, .text = "def splits($re): split($re; null) | .[];"},
    {"splits", 2, BUILTIN_PRELUDE, .text = "def splits($re; flags): split($re; flags) | .[];"},
    {"strings", 0, BUILTIN_PRELUDE, .text = "def strings: select(type == \"string\");"},
    {"sub", 2, BUILTIN_PRELUDE, .text = "def sub($re; s): sub($re; s; \"\");"},
    {"sub", 3, BUILTIN_PRELUDE,
     .text = "def sub($re; s; $flags): _gaps($re; $flags) as [$gaps, $rest] | _one(s; reduce "
             "$gaps[] as [$gap, $names] (\"\"; . + ($gap + ($names | s))) | . + $rest; "
             "_sub($gaps; $rest; s));"},
    {"test", 1, BUILTIN_PRELUDE, .text = "def test(re): _match(re; null; \"test\");"},
    {"test", 2, BUILTIN_PRELUDE, .text = "def test(re; flags): _match(re; flags; \"test\");"},
    {"todate", 0, BUILTIN_PRELUDE, .text = "def todate: todateiso8601;"},
    {"todateiso8601", 0, BUILTIN_PRELUDE,
     .text = "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\");"},
    {"tostream", 0, BUILTIN_PRELUDE,
     .text = "def tostream: def events($path): if (type == \"array\" or type == \"object\") and "
             "length > 0 then (keys_unsorted[] as $k | .[$k] | events($path + [$k])), [$path + "
             "[keys_unsorted[-1]]] else [$path, .] end; events([]);"},
    {"transpose", 0, BUILTIN_PRELUDE,
     .text = "def transpose: [range(0; map(length) | max // 0) as $i | [.[][$i]]];"},
    {"truncate_stream", 1, BUILTIN_PRELUDE,
     .text = "def truncate_stream(f): . as $depth | null | f | select(.[0] | length > $depth) | "
             ".[0] |= .[$depth:];"},
    {"unique_by", 1, BUILTIN_PRELUDE, .text = "def unique_by(f): _unique_by(map([f]));"},
    {"until", 2, BUILTIN_PRELUDE,
     .text = "def until(done; next): def again: if done then . else (next | again) end; again;"},
    {"values", 0, BUILTIN_PRELUDE, .text = "def values: select(. != null);"},
    {"walk", 1, BUILTIN_PRELUDE,
     .text = "def walk(f): def down: (if type == \"object\" then map_values(down) elif type == "
             "\"array\" then map(down) else . end) | f; down;"},
    {"while", 2, BUILTIN_PRELUDE,
     .text = "def while(more; next): def again: if more then ., (next | again) else empty end; "
             "again;"},
    {"with_entries", 1, BUILTIN_PRELUDE,
     .text = "def with_entries(f): to_entries | map(f) | from_entries;"},
};
/* clang-format on */

const struct builtin *prelude_table(uint32_t *ret_count)
{
    *ret_count = ARRAY_LEN(definitions);
    return definitions;
}
