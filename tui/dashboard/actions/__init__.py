"""Command handlers: HANDLERS maps each command's id to its function, which takes the dashboard."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.commands import CommandId
from tui.dashboard.actions import downloads, jobs, links, navigation, view

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

HANDLERS: "Mapping[CommandId, Callable[[Dashboard], None]]" = {
    "down": navigation.down,
    "up": navigation.up,
    "top": navigation.top,
    "bottom": navigation.bottom,
    "half_down": navigation.half_down,
    "half_up": navigation.half_up,
    "page_down": navigation.page_down,
    "page_up": navigation.page_up,
    "right": navigation.scroll_names_right,
    "left": navigation.scroll_names_left,
    "focus_next": navigation.focus_next,
    "help": view.show_help,
    "palette": view.show_palette,
    "quit": view.quit_app,
    "open": view.open_detail,
    "back": view.back,
    "close": view.back_or_quit,
    "interrupt": view.copy_selection_or_quit,
    "filter": view.open_filter_or_search,
    "find_next": view.find_next,
    "find_previous": view.find_previous,
    "sort": view.select_sort,
    "sort_reverse": view.reverse_sort,
    "sort_left": view.sort_by_previous_column,
    "sort_right": view.sort_by_next_column,
    "tab_next": view.next_tab,
    "tab_previous": view.previous_tab,
    "freeze": view.toggle_freeze,
    "time": view.cycle_time_format,
    "theme": view.next_theme,
    "preview": view.toggle_detail,
    "detail_position": view.toggle_detail_position,
    "accounts": view.show_accounts,
    "why": view.show_why,
    "journal": view.show_recent_events,
    "view_all": view.view_all,
    "view_active": view.view_active,
    "view_done": view.view_done,
    "view_problems": view.view_problems,
    "view_expiring": view.view_expiring,
    "view_archive": view.view_archive,
    "mark": view.toggle_mark,
    "mark_all": view.mark_all,
    "unmark": view.clear_marks,
    "invert": view.invert_marks,
    "add": jobs.add,
    "edit": jobs.edit,
    "remove": jobs.remove,
    "undo": jobs.undo,
    "archive": jobs.toggle_archived,
    "mute": jobs.toggle_muted,
    "refresh": jobs.refresh,
    "refresh_all": jobs.refresh_all,
    "pause": jobs.toggle_pause,
    "renew": links.renew,
    "copy_id": links.copy_id,
    "copy_link": links.copy_link,
    "open_link": links.open_link_or_folder,
    "download": downloads.download_or_cancel,
}
"""The type checker compares the ids with `CommandId`; a test, that none is missing."""
