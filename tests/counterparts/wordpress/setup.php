<?php
// Makes the tables of a site and its user, and prints an application password of that.
define('WP_INSTALLING', true);
$_SERVER += ['HTTP_HOST' => getenv('SITE'), 'SERVER_NAME' => 'localhost', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REQUEST_METHOD' => 'GET'];
function wp_mail()
{
    return true;
}
require getenv('WORDPRESS') . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
$made = wp_install('Test', 'tutti', 'tutti@example.org', false, '', bin2hex(random_bytes(16)));
update_option('permalink_structure', '/%postname%/');
[$password] = WP_Application_Passwords::create_new_application_password($made['user_id'], ['name' => 'tutti']);
echo $password;
