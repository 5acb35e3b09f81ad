<?php
// All that PHP's Memcache does. The arguments are the server's port, and `text` or `binary`.
// The extension itself makes a property in a way that PHP deprecates.
error_reporting(E_ALL & ~E_DEPRECATED);
set_error_handler(function ($level, $message) {
    if (error_reporting() & $level) throw new ErrorException($message);
});

[, $port, $protocol] = $argv;
$binary = $protocol === 'binary';
ini_set('memcache.protocol', $binary ? 'binary' : 'ascii');

function is($what, $got, $expected) {
    if ($got !== $expected) {
        throw new Exception("$what: got " . var_export($got, true) . ', not ' . var_export($expected, true));
    }
}

// It has no touch, no noreply, and no flags but its own and 16 bits of the user's.
$cache = new MemcachePool();
is('connect', $cache->connect('127.0.0.1', (int) $port), true);
is('flush', $cache->flush(), true);
is('a miss', $cache->get('a'), false);
is('set', $cache->set('a', 'one'), true);
is('get', $cache->get('a'), 'one');
is('add there', $cache->add('a', 'two'), false);
is('add', $cache->add('b', 'two'), true);
is('replace', $cache->replace('b', 'three'), true);
// Over binary it takes "not found" for a failure of the server, which it then leaves alone.
if (!$binary) is('replace none', $cache->replace('none', 'x'), false);
is('append', $cache->append('b', '!'), true);
is('prepend', $cache->prepend('b', '='), true);
is('appended', $cache->get('b'), '=three!');
if (!$binary) is('append none', $cache->append('none', '!'), false);
is('set number', $cache->set('n', 10), true);
is('increment', $cache->increment('n', 5), 15);
is('decrement', $cache->decrement('n', 20), 0);
is('increment none', $cache->increment('none'), false);
is('increment from', $cache->increment('from', 5, 100, 1000), $binary ? 100 : false);

is('get with cas', $cache->get('a', $flags, $cas), 'one');
is('cas', $cache->cas('a', 'two', 0, 0, $cas), true);
is('cas again', $cache->cas('a', 'three', 0, 0, $cas), false);
is('after cas', $cache->get('a'), 'two');

// Flags tell the client what it has stored.
$values = ['', '0', 0, -5, 1.5, true, false, ['list' => [1, 'ü']],
    implode('', array_map('chr', range(0, 255))), "\r\nEND\r\n", str_repeat('word ', 50000)];
foreach ($values as $value) {
    is('set typed', $cache->set('typed', $value), true);
    is('get typed', $cache->get('typed'), $value);
}
is('set packed', $cache->set('packed', str_repeat('word ', 200000), MEMCACHE_COMPRESSED), true);
is('get packed', $cache->get('packed'), str_repeat('word ', 200000));
is('set flags', $cache->set('flags', 'x', MEMCACHE_USER2), true);
is('get flags', [$cache->get('flags', $flags), $flags], ['x', MEMCACHE_USER2]);
$random = random_bytes(1000000);
is('set long', $cache->set('long', $random), true);
is('get long', $cache->get('long'), $random);

$names = [];
for ($i = 0; $i < 500; $i++) {
    $names[] = "key-$i";
    is('set one of many', $cache->set("key-$i", "value $i", 0, 1000), true);
}
$found = $cache->get(array_merge($names, ['none']));
is('get many', [count($found), $found['key-7']], [500, 'value 7']);
is('set many', $cache->set(['x' => '1', 'y' => '2']), true);
is('get both', $cache->get(['x', 'y']), ['x' => '1', 'y' => '2']);
is('delete both', $cache->delete(['x', 'y']), true);
is('get neither', $cache->get(['x', 'y']), []);

is('set past', $cache->set('past', 'x', 0, time() - 100), true);
is('get past', $cache->get('past'), false);
is('set until', $cache->set('later', 'x', 0, time() + 1000), true);
is('get until', $cache->get('later'), 'x');
is('longest key', $cache->set(str_repeat('k', 250), 'x'), true);
is('get it', $cache->get(str_repeat('k', 250)), 'x');
// It makes an underscore of what a key must not have.
is('odd key', $cache->set("two words\n", 'x'), true);
is('get it', $cache->get('two_words_'), 'x');

is('version', preg_match('/^1\.6\.\d+/', $cache->getVersion()), 1);
// Of statistics it knows some groups, and none over binary.
if (!$binary) is('stats', $cache->getStats()['curr_items'] > 0, true);
if (!$binary) is('items', $cache->getStats('items')['items'][1]['number'] > 0, true);
is('status', $cache->getServerStatus('127.0.0.1', (int) $port) > 0, true);
is('delete', $cache->delete('a'), true);
is('delete none', $cache->delete('a'), false);
is('flush', $cache->flush(), true);
is('flushed', $cache->get('b'), false);
is('close', $cache->close(), true);
echo "done\n";
