"""What the sandboxes must show, item by item, and the tests that show it: the items are those of facts/acumatica.md §11 (for customers,
contacts and AR documents) and of facts/hubspot.md §1 to §8 and §14. A test shows an item if its docstring names it."""

import ast
import re
from pathlib import Path

import pytest

from sandbox.acumatica.app import FAULTS as ACUMATICA_FAULTS
from sandbox.acumatica.switches import Switches as Acumatica
from sandbox.faults import SHARED_KINDS
from sandbox.hubspot.app import FAULTS as HUBSPOT_FAULTS
from sandbox.hubspot.switches import Switches as HubSpot

HERE = Path(__file__).parent

#: Behaviour (in our words) -> a test that shows it, by item of facts/acumatica.md §11.
ACUMATICA: dict[str, dict[str, str]] = {
    "S1": {
        "a virtual directory": "test_a_virtual_directory",
        "two slashes": "test_two_slashes_are_one",
        "names as written, or by switch in any case": "test_names_in_a_path",
    },
    "S2": {
        "discovery": "test_discovery_names_the_token_endpoint",
        "opaque tokens for an hour": "test_a_token_is_opaque_and_lives_an_hour",
        "refusals, client_credentials": "test_what_the_token_endpoint_refuses",
        "authorization_code": "test_a_code_is_good_once",
        "rotation": "test_a_refresh_token_is_good_once",
        "revocation keeps the seat": "test_revocation_kills_the_token_and_keeps_the_seat",
    },
    "S3": {
        "a session per grant": "test_with_offline_access_a_grant_is_one_session",
        "a session per token, two seats": "test_with_api_alone_each_token_is_a_session",
        "a session per cookie": "test_with_concurrent_access_each_call_without_a_cookie_is_a_session",
        "four shapes of the limit": "test_the_login_limit_has_four_shapes",
        "idle expiry": "test_sessions_end_by_themselves",
        "logout": "test_logging_out_frees_the_seat_and_not_the_token",
        "logout without a length": "test_logging_out_without_content_length_is_a_411",
        "one call after another": "test_calls_of_one_session_run_one_after_another",
        "another's client": "test_signing_out_frees_the_seat",
    },
    "S4": {
        "204 and five cookies": "test_cookie_login",
        "bad password": "test_cookie_login_that_fails",
        "one tenant": "test_one_tenant_in_the_database_takes_any_name",
    },
    "S5": {
        "object and array": "test_the_list_of_endpoints",
        "the description": "test_the_description",
        "as the vendor's": "test_the_description_is_the_vendors",
        "another's client": "test_it_boots_from_our_description",
    },
    "S6": {"401 before 404": "test_nobody_gets_a_401_before_any_404"},
    "S7": {
        "empty, null, []": "test_a_record_by_its_key",
        "keys": "test_a_key_is_found_as_the_database_compares",
        "select and expand": "test_select_and_expand",
        "offsets": "test_dates_carry_the_sites_offset",
    },
    "S8": {
        "comparisons": "test_comparisons",
        "functions": "test_functions",
        "linked entities": "test_linked_fields",
        "refusals": "test_what_is_refused_is_a_500",
        "wrong without a word": "test_silently_wrong_filters",
        "another's plain date": "test_a_bare_date_in_a_filter",
    },
    "S9": {
        "delegates": "test_the_optimizer_refuses_lists_with_a_delegate",
        "payments": "test_payments_are_listed_without_their_applications",
    },
    "S10": {"missing": "test_a_missing_record_is_a_500", "another's client": "test_a_missing_key"},
    "S11": {
        "makes or changes": "test_a_put_makes_or_changes_a_record",
        "by id, key, filter": "test_a_record_is_found_by_id_or_filter",
        "If headers": "test_if_headers",
        "the answer": "test_the_answer_is_limited",
        "what is ignored": "test_what_is_ignored",
        "details": "test_lines_are_added_changed_and_deleted",
        "another's client": "test_create_update_delete",
    },
    "S12": {
        "fields": "test_field_errors",
        "the record, details": "test_what_is_wrong_with_a_document",
    },
    "S13": {
        "202 and Location": "test_a_release",
        "202 to 204, its session, the form": "test_an_operation_that_takes_its_time",
        "failures, 404": "test_actions_that_fail",
    },
    "S14": {
        "the delay": "test_the_official_example_of_the_delay",
        "the minute": "test_the_minute_rolls",
        "the queue": "test_the_official_example_of_declining",
        "429 in two forms": "test_a_full_queue_is_a_429",
        "sign-in, logout": "test_sign_in_and_sign_out_count_and_do_not_wait",
    },
    "S15": {
        "key order": "test_lists_come_in_key_order",
        "$orderby": "test_bad_options",
        "a live table": "test_a_list_is_over_the_live_table",
    },
    "S16": {
        "balances": "test_the_books_always_balance",
        "life of an invoice": "test_the_life_of_an_invoice",
        "stamps": "test_the_stamp_of_an_invoice_that_is_paid",
        "stamps in the feeds": "test_the_stamp_of_a_paid_invoice",
        "applications": "test_applications",
        "two entities": "test_one_document_in_two_entities",
        "history by key": "test_applications_by_key",
    },
    "S17": {
        "rows": "test_a_row",
        "pages": "test_pages",
        "Basic and Bearer": "test_sign_in",
        "$metadata": "test_metadata",
        "deletes": "test_deleted_documents",
    },
    "S19": {
        "time-out after commit": "test_a_write_whose_answer_is_lost",
        "a site that is published": "test_a_site_that_is_published",
        "nothing saved": "test_a_write_that_saves_nothing",
        "hidden rows": "test_rows_can_be_hidden",
        "Change ID": "test_a_customer_can_be_renamed",
        "merge": "test_a_merged_contact_stays",
        "a version that goes": "test_a_removed_version_and_a_missing_right",
        "an expired token": "test_a_token_can_be_made_to_expire",
    },
    "S20": {"numbers": "test_numbers_have_no_exponent_and_no_zeros", "numbers written": "test_numbers_are_exact"},
}

#: The same for the sections of facts/hubspot.md.
HUBSPOT: dict[str, dict[str, str]] = {
    "1.1": {"introspection": "test_the_token_and_the_portal_tell_about_themselves"},
    "1.2": {
        "two names of a scope": "test_line_items_have_a_scope_of_another_name_too",
        "pipelines": "test_pipelines_need_a_scope_of_deals",
    },
    "1.3": {
        "401": "test_a_call_without_the_token_is_401",
        "403, any of": "test_a_missing_scope_is_403_and_names_any_of",
        "404": "test_three_kinds_of_not_found",
        "HTML": "test_unknown_routes_and_methods_are_html",
        "headers": "test_headers_of_an_answer",
        "no JSON": "test_empty_company_and_unparsable_body",
        "expired": "test_an_expired_token",
    },
    "2.1": {
        "every path": "test_all_versions_and_names_lead_to_one_portal",
        "batch archive": "test_archive",
        "status of a batch": "test_the_status_of_a_batch_with_failures",
    },
    "2.2": {
        "create": "test_create_answers_201_with_texts_and_default_properties",
        "properties": "test_properties_parameter_in_both_encodings",
        "defaults of an invoice": "test_what_an_invoice_answers_by_default",
        "pages": "test_lists_are_paged_by_id_with_an_absolute_link",
        "associations": "test_reading_with_associations",
    },
    "2.3": {
        "required": "test_required_properties_count_on_dated_paths_only",
        "required of a deal": "test_a_deal_and_its_defaults",
        "nothing required": "test_empty_company_and_unparsable_body",
        "lifecycle": "test_lifecycle_stage_only_moves_forward",
    },
    "2.4": {
        "upsert": "test_upsert_makes_and_changes_and_says_which",
        "a hundred": "test_more_than_a_hundred_inputs_are_refused",
        "invalid row": "test_an_invalid_row",
        "conflict": "test_a_taken_email",
        "missing": "test_update_of_a_record_that_is_not_there",
        "read": "test_read_gives_what_is_there_and_names_the_rest",
        "twice": "test_an_id_that_comes_twice",
        "refused on request": "test_some_rows_refused",
        "another's client": "test_a_batch_with_a_bad_row_is_a_207",
        "another's client, twice": "test_the_same_id_twice",
    },
    "2.5": {
        "order": "test_results_are_not_in_the_order_of_the_inputs",
        "silent": "test_a_silent_batch_saves_nothing",
        "all problems": "test_every_invalid_property_is_named_at_once",
        "after normalisation": "test_an_id_that_comes_twice",
        "values": "test_values_by_type",
    },
    "2.6": {
        "not unique": "test_a_property_that_is_not_unique_is_no_key",
        "e-mail": "test_email_is_a_key_for_upsert_but_not_for_update",
        "partial": "test_a_partial_upsert_by_email",
        "another's client": "test_a_property_that_is_not_unique",
    },
    "2.7": {
        "domains": "test_emails_are_unique_and_domains_are_not",
        "automatic companies": "test_a_company_comes_by_itself_some_seconds_later",
    },
    "3": {
        "operators": "test_operators",
        "groups": "test_groups_are_or_and_filters_are_and",
        "delay": "test_search_finds_a_record_as_it_was_some_seconds_ago",
        "caps": "test_what_is_too_much_or_wrong",
        "pages": "test_pages_and_sorts",
        "associations": "test_search_by_association",
        "rate": "test_five_a_second_and_no_headers",
        "total without results": "test_a_stale_index_counts_without_showing",
        "minutes late": "test_search_minutes_late",
        "another's client": "test_search_and_its_cap",
    },
    "4": {
        "create": "test_create_and_read",
        "409": "test_a_name_that_exists",
        "ten unique": "test_ten_unique_properties_at_most",
        "patch": "test_patch_replaces_options_and_ignores_uniqueness",
        "archived": "test_an_archived_property_comes_back_with_its_values",
        "groups": "test_groups",
        "batches": "test_batches",
        "lag": "test_a_new_property_may_be_read_late",
        "another's client": "test_a_property_that_is_there",
    },
    "5.1": {
        "batch create": "test_batch_create_on_each_version",
        "v3": "test_associations_in_the_form_of_v3",
        "pages": "test_pages_and_labels",
        "another's client": "test_associations_in_batch",
    },
    "5.2": {
        "batch read": "test_batch_read",
        "invalid pairs": "test_records_that_are_not_there_and_types_of_another_pair",
        "primary": "test_the_first_company_becomes_the_primary_one",
        "inline": "test_inline_associations_on_create",
    },
    "5.3": {
        "types": "test_pages_and_labels",
        "types of an invoice": "test_associations_of_an_invoice",
        "types of a deal": "test_other_associations_of_a_deal",
        "companies of a deal": "test_the_companies_of_a_deal",
    },
    "5.4": {"limits": "test_association_calls_have_a_limit_of_their_own"},
    "6.1": {"no merges": "test_invoices_do_not_merge"},
    "6.2": {
        "a mirror": "test_a_mirror_has_its_own_number_amount_and_status",
        "billable": "test_a_billable_invoice_opens_with_a_line_and_a_contact",
        "read-only": "test_computed_and_read_only_properties",
        "the amount reads 0": "test_the_amount_right_after_create",
        "own keys": "test_an_invoice_by_our_own_key",
        "deletes": "test_what_can_be_deleted",
    },
    "6.3": {
        "computed": "test_line_items_are_computed",
        "one parent": "test_a_line_item_has_one_parent",
        "identical inputs": "test_the_same_line_twice_is_one",
        "negative": "test_no_negative_lines",
    },
    "6.4": {"another's client": "test_an_invoice_with_its_lines"},
    "6.6": {
        "no scope": "test_scopes_of_invoices_can_go_and_come",
        "no object": "test_a_portal_without_invoices",
        "not writable": "test_properties_that_cannot_be_written",
        "another's client": "test_an_invoice_that_is_refused",
    },
    "7": {
        "pipelines": "test_pipelines",
        "won": "test_what_a_stage_makes_of_a_deal",
        "polling": "test_won_deals_are_found",
        "associated": "test_other_associations_of_a_deal",
        "another's client": "test_a_deal_is_won",
    },
    "8": {
        "burst": "test_the_burst_limit_rolls",
        "day": "test_the_daily_limit_ends_at_the_portals_midnight",
        "search": "test_five_a_second_and_no_headers",
        "other errors": "test_errors_of_the_front",
        "another's client": "test_too_many_calls",
    },
    "14.1": {
        "e-mails": "test_bad_emails_are_refused",
        "types": "test_values_by_type",
        "too long": "test_a_text_that_is_too_long",
        "domain": "test_the_form_of_a_domain",
    },
    "14.2": {"automatic companies": "test_a_company_comes_by_itself_some_seconds_later"},
    "14.3": {
        "keys": "test_id_property_on_single_calls",
        "unknown keys": "test_update_by_an_unknown_key_rejects_all",
        "taken": "test_a_unique_value_that_is_taken",
        "archived": "test_the_key_of_an_archived_record",
        "merge": "test_a_merged_record_answers_under_a_new_id",
        "second e-mails": "test_additional_emails_hold_the_contact",
    },
    "14.4": {
        "currencies": "test_a_currency_that_the_portal_has_not",
        "properties": "test_computed_and_read_only_properties",
        "line items": "test_line_items_are_computed",
        "negative": "test_no_negative_lines",
        "not writable": "test_properties_that_cannot_be_written",
    },
    "14.5": {
        "pipelines": "test_pipelines",
        "stages, currencies": "test_a_stage_or_currency_that_is_not_there",
        "computed": "test_what_a_stage_makes_of_a_deal",
        "primary company": "test_the_companies_of_a_deal",
        "the demo": "test_the_demo_has_deals",
    },
    "14.6": {"definitions": "test_wrong_definitions", "restored": "test_an_archived_property_comes_back_with_its_values"},
    "14.7": {"primary moves": "test_the_primary_label_moves", "removal": "test_archive_of_pairs_and_of_labels"},
    "14.8": {"pipelines": "test_pipelines"},
}

#: What the facts call unverified, and the switch that makes it one way or the other.
UNKNOWN: dict[str, dict[str, str]] = {
    "acumatica": {
        "names of other case in a path": "path_case",
        "MainContact and the customer's stamp": "main_contact_bumps_customer",
        "a filter over two views": "cross_view",
        "a filter on a detail": "detail_filter",
        "body of a 401": "unauthorized_body",
        "body of a 404": "not_found_body",
        "shape of the login limit": "login_limit_shape",
        "a refresh token shown twice": "refresh_reuse_ends_grant",
        "offset of times": "time_zone",
        "licence limits": "licence_per_minute",
        "429 of the queue": "declined_shape",
        "numbers given by the site": "customer_numbering",
        "texts too long": "too_long",
        "422 or 500": "validation_shape",
        "unknown names in a PUT": "unknown_fields",
        "DELETE of what is not there": "missing_delete",
        "a payment and its invoice's stamp": "application_bumps_invoice",
        "what becomes of a reversed invoice": "reversed_invoice",
        "sign of a voided payment": "voided_payment_amount",
        "the form of a running action": "form_lock",
        "which invoices are of sales": "sales_invoices",
        "the form of days": "date_form",
        "pages of the DAC feeds": "odata_page",
        "blanks after a code": "odata_padded_keys",
    },
    "hubspot": {
        "an upsert by e-mail with a part": "email_upsert",
        "207 or 200 on 2026-09": "partial_status",
        "what becomes of a domain": "domain_form",
        "Retry-After": "retry_after",
        "the key of an archived record": "archived_key",
        "case of a key": "unique_key_case",
        "the old id of a merged record in an association": "merged_ends",
        "texts too long": "too_long",
        "automatic companies": "auto_company",
        "a property read late": "property_lag_seconds",
        "the amount of a new invoice": "amount_billed_on_create",
        "deletes of invoices": "invoice_deletes",
        "negative quantities": "negative_quantity",
        "which currencies a portal has": "additional_currencies",
    },
}

#: Items of the same sections that neither customers nor contacts need, or that nobody of ours or of the others' clients calls.
LEFT_OUT = {
    "S7": "$custom and attributes",
    "S17": "generic inquiries other than an empty $metadata; any and all in filters; PX-ApiDeleted and PX-ApiArchive",
    "§2.2": "propertiesWithHistory",
    "§6.1": "discounts, fees and taxes as objects; payments (§6.5), quotes, subscriptions; settings/currencies and tax-rates",
    "§7": "writes of pipelines and stages (§14.5: STAGE_ID_IN_USE), the time of entering a stage, amounts in the company's currency",
    "§8": "423 by itself when two writes meet: a `status` fault does it",
    "§14.3": "how a merge leaves the loser's key other than gone; §14.6: an existing name in a batch of properties other than as a 207",
}


def docstrings(pattern: str) -> dict[str, str]:
    """The docstrings of the tests in those files, by name."""
    out = {}
    for path in sorted(HERE.glob(pattern)):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                out[node.name] = ast.get_docstring(node) or ""
    return out


def unshown(items: dict[str, dict[str, str]], sign: str, *patterns: str) -> list[str]:
    """The behaviours whose test is not there, or does not name the item."""
    tests = {name: text for pattern in patterns for name, text in docstrings(pattern).items()}
    rows = [(item, what, name) for item, behaviours in items.items() for what, name in behaviours.items()]
    return [f"{item}: {what}" for item, what, name in rows if not re.search(rf"{sign}{re.escape(item)}(?![\d.]*\d)", tests.get(name, ""))]


def test_every_item_of_acumatica_has_a_test() -> None:
    """Each item of §11 that customers, contacts and documents need is in the table, and each of its behaviours has a test that names it."""
    assert set(ACUMATICA) == {f"S{number}" for number in (*range(1, 18), 19, 20)}
    assert unshown(ACUMATICA, r"\b", "test_sandbox_acumatica_*.py", "test_others_easy_acumatica.py") == []


def test_every_section_of_hubspot_has_a_test() -> None:
    """Each section is in the table, and each of its behaviours has a test that names it."""
    assert unshown(HUBSPOT, "§", "test_sandbox_hubspot_*.py", "test_others_hubspot_*.py") == []
    assert set(LEFT_OUT) <= {*ACUMATICA, *(f"§{section}" for section in HUBSPOT)}


@pytest.mark.parametrize(("system", "model"), [("acumatica", Acumatica), ("hubspot", HubSpot)])
def test_what_nobody_knows_has_a_switch(system: str, model: type[Acumatica | HubSpot]) -> None:
    """Each unverified fact has a switch, and each of these switches is set in some test of that sandbox."""
    assert {name for name in UNKNOWN[system].values() if name not in model.model_fields} == set()
    source = "".join(path.read_text("utf-8") for path in HERE.glob(f"test_*{system}*.py"))
    assert [name for name in UNKNOWN[system].values() if not re.search(rf"\b{name}\b", source)] == []


def test_every_fault_is_fired_by_a_test() -> None:
    """Each kind of fault, shared or a vendor's own, is asked for in some test."""
    source = "".join(path.read_text("utf-8") for path in HERE.glob("test_sandbox_*.py"))
    kinds = {*SHARED_KINDS, *ACUMATICA_FAULTS, *HUBSPOT_FAULTS}
    assert {kind for kind in kinds if f'"{kind}"' not in source} == set()


def test_an_item_without_a_test_is_found() -> None:
    """The list of what is not shown is not empty by chance: a name that no test has, and a test that names another item, are in it."""
    wrong = {"2.4": {"nowhere": "test_of_nothing", "another": "test_archive"}, "2.1": {"right": "test_archive"}}
    assert unshown(wrong, "§", "test_sandbox_hubspot_batch.py") == ["2.4: nowhere", "2.4: another"]
