# All basic operations of Cache::Memcached. The argument is the server's port.
use strict;
use warnings;
use Cache::Memcached;

sub is {
    my ($what, $got, $expected) = @_;
    $got      = 'undef' unless defined $got;
    $expected = 'undef' unless defined $expected;
    die "$what: got '$got', not '$expected'\n" unless $got eq $expected;
}

my $cache = Cache::Memcached->new({
    servers            => ["127.0.0.1:$ARGV[0]"],
    compress_threshold => 1000,
});

is('flush_all', $cache->flush_all, 1);
is('a miss', $cache->get('a'), undef);
is('set', $cache->set('a', 'one'), 1);
is('get', $cache->get('a'), 'one');
is('add there', $cache->add('a', 'two') ? 1 : 0, 0);
is('add', $cache->add('b', 'two'), 1);
is('replace', $cache->replace('b', 'three'), 1);
is('replace none', $cache->replace('none', 'x') ? 1 : 0, 0);
is('append', $cache->append('b', '!'), 1);
is('prepend', $cache->prepend('b', '='), 1);
is('appended', $cache->get('b'), '=three!');
is('set number', $cache->set('n', 10), 1);
is('incr', $cache->incr('n', 5), 15);
is('decr', $cache->decr('n', 20) + 0, 0);
is('incr none', $cache->incr('none'), undef);
my $both = $cache->get_multi('a', 'b', 'none');
is('get_multi', join(',', map { "$_=$both->{$_}" } sort keys %$both), 'a=one,b==three!');

# Flags tell the client what it has stored: a structure, and a value that it has compressed.
is('set structure', $cache->set('s', { list => [1, 2, 3] }), 1);
is('get structure', join(',', @{ $cache->get('s')->{list} }), '1,2,3');
my $long = 'abcdefghij' x 1000;
is('set long', $cache->set('l', $long), 1);
is('get long', $cache->get('l'), $long);
my $bytes = join '', map { chr } 0 .. 255;
is('set bytes', $cache->set('bytes', $bytes), 1);
is('get bytes', $cache->get('bytes'), $bytes);

is('set expired', $cache->set('gone', 'x', -1), 1);
is('get expired', $cache->get('gone'), undef);
is('set until', $cache->set('later', 'x', time + 1000), 1);
is('get until', $cache->get('later'), 'x');

is('delete', $cache->delete('a'), 1);
is('delete none', $cache->delete('a') ? 1 : 0, 0);
is('stats', $cache->stats('misc')->{total}{curr_items} > 0 ? 1 : 0, 1);
is('flush_all', $cache->flush_all, 1);
is('flushed', $cache->get('b'), undef);
$cache->disconnect_all;
print "done\n";
