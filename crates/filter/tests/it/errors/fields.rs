//! Errors of expressions that do not fit the fields of the rows.

use expect_test::expect;

use super::check;

#[test]
fn unknown_selector_suggests_the_nearest() {
    check(
        "Nmae == x",
        &expect![[r#"
            no field is named `Nmae`
              Nmae == x
              ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "plugin_id == x",
        &expect![[r#"
        no field is named `plugin_id`
          plugin_id == x
          ^^^^^^^^^
        help: did you mean `PluginID`?"#]],
    );
    check(
        "Bogus == x",
        &expect![[r#"
        no field is named `Bogus`
          Bogus == x
          ^^^^^
        help: Volume has Name, PluginID, Size, Schedulable, Tags, Meta, Topologies, Mounted"#]],
    );
    check(
        "Mounted.Zoen == x",
        &expect![[r#"
            no field is named `Zoen`
              Mounted.Zoen == x
                      ^^^^
            help: did you mean `Zone`?"#]],
    );
    check(
        "any Topologies as t { t.Region == x }",
        &expect![[r#"
        no field is named `Region`
          any Topologies as t { t.Region == x }
                                  ^^^^^^
        help: Topology has Zone"#]],
    );
    check(
        "Name.First == x",
        &expect![[r#"
        a text has no fields or elements
          Name.First == x
               ^^^^^"#]],
    );
    check(
        "Topologies.first == x",
        &expect![[r#"
        a list takes an index, counted from 0
          Topologies.first == x
                     ^^^^^
        help: test all elements with `any .. as x { .. }`"#]],
    );
}

#[test]
fn values_and_operators_must_fit_the_field() {
    check(
        "Size == big",
        &expect![[r#"
            this is not an integer
              Size == big
                      ^^^
            help: write a whole number, as in `3`"#]],
    );
    check(
        "Size == 99999999999999999999",
        &expect![[r#"
            this integer is too large
              Size == 99999999999999999999
                      ^^^^^^^^^^^^^^^^^^^^
            help: the field has at most 64 bits"#]],
    );
    check(
        "Schedulable == yes",
        &expect![[r#"
        this is not a bool
          Schedulable == yes
                         ^^^
        help: write `true` or `false`"#]],
    );
    check(
        "Tags == a",
        &expect![[r#"
        `==` does not apply to a list of text
          Tags == a
               ^^
        help: test an element with `contains`"#]],
    );
    check(
        "Size is empty",
        &expect![[r#"
            `is empty` does not apply to an integer
              Size is empty
                   ^^^^^^^^
            help: compare with `==` or `!=`"#]],
    );
    check(
        "Size matches `1`",
        &expect![[r#"
            `matches` does not apply to an integer
              Size matches `1`
                   ^^^^^^^
            help: compare with `==` or `!=`"#]],
    );
    check(
        "Mounted == a",
        &expect![[r#"
        `==` does not apply to a Topology
          Mounted == a
                  ^^
        help: select one of its fields as in `a.field`"#]],
    );
    check(
        "any Name as x { x == a }",
        &expect![[r#"
        `any` and `all` need a list or a map with text keys, not a text
          any Name as x { x == a }
              ^^^^"#]],
    );
    check(
        "any Meta as k { k.x == a }",
        &expect![[r#"
        an index or key has no fields
          any Meta as k { k.x == a }
                            ^"#]],
    );
    check(
        "any Meta as k, k { k == a }",
        &expect![[r#"
        the same name is bound twice
          any Meta as k, k { k == a }
                         ^
          any Meta as k, k { k == a }
                      - first here
        help: give the element another name than the index"#]],
    );
}
