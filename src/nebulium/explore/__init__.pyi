from .export.writing import ExportedPage as ExportedPage
from .export.writing import export_page as export_page
from .page.explored import Explored as Explored
from .page.explored import explore as explore
from .page.server import make_app as make_app
from .page.server import serve as serve
from .sample.galaxies import Galaxies as Galaxies
from .sample.galaxies import read_galaxies as read_galaxies
