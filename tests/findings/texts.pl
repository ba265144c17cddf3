# texts.pl: what the reader of definitions may say, and no case of tests/findings says. Prints one line for each text
# of refuse() and warn() in common/workflow that is in no line of a table; limits, which no case can reach with a few
# lines, are tested in tests/unit/workflow/limits_test.c and link_test.c, as is what only those say who have no documents
# at hand (`tutti validate` warns of them itself); what needs a catalog, in function_catalog_test.c.
use strict;
use warnings;

my $limit = qr/at most %d|more than %d (?:deep|bytes)|the character NUL|is not at hand|is another name of/;
my @said;
for my $table (glob 'tests/findings/*.cases') {
    open my $file, '<', $table or die "$table: $!\n";
    push @said, grep { /^>>>/ } <$file>;
}

my $count = 0;
for my $source (glob 'common/workflow/*.c') {
    open my $file, '<', $source or die "$source: $!\n";
    my $text = do { local $/; <$file> };
    while ($text =~ /\b(?:refuse|warn)\s*\([^,]*,[^,]*,(.*?)\)\s*;/gs) {
        my ($start, $arguments) = ($-[0], $1);
        my $line = 1 + (substr($text, 0, $start) =~ tr/\n//);
        $arguments =~ s/\bSTR_FMT\b/"%s"/g;
        while ($arguments =~ /((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
            my $words = join '', $1 =~ /"((?:[^"\\]|\\.)*)"/g;
            next if length $words < 12 || $words =~ $limit; # "%s"; a name for pointer_enter()
            $count++;
            $words =~ s/\\(["\\])/$1/g;
            my $pattern = quotemeta $words;
            $pattern =~ s/\\%(?:\\\.\d+)?(?:lld|zu|[sdug])/.*/g;
            print "$source:$line: nothing in tests/findings says: $words\n" unless grep { /V\d\d: .*$pattern/ } @said;
        }
    }
}
print "common/workflow: only $count texts were found\n" if $count < 100;
