<?php
// Sets up the site of wordpress.mjs: its tables, one user with an application password, and posts to begin with.
define('WP_INSTALLING', true);
function wp_new_blog_notification() {} // no mail
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Shop', 'tutti', 'tutti@example.com', true, '', wp_generate_password());
update_option('permalink_structure', '/%postname%/');
foreach (['posts', 'postmeta', 'term_relationships'] as $table) $wpdb->query("DELETE FROM wp_$table");
foreach ([1 => 'publish', 2 => 'draft'] as $id => $status) {
  wp_insert_post(['import_id' => $id, 'post_name' => "post-$id", 'post_status' => $status, 'post_title' => "Post $id", 'post_content' => '<p>Old</p>', 'post_author' => 1]);
}
wp_insert_attachment(['import_id' => 30, 'post_title' => 'old', 'post_mime_type' => 'image/png', 'post_author' => 1]);
foreach (['posts', 'postmeta', 'term_relationships'] as $table) $wpdb->query("CREATE TABLE kept_$table AS SELECT * FROM wp_$table");
[$password] = WP_Application_Passwords::create_new_application_password(1, ['name' => 'tutti']);
echo $password;
